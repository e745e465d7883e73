"""FreDect: a ResNet-50 on the logarithm of a picture's cosine transform."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from scipy.fft import dct

from scripts.common.errors import UserError
from scripts.detect.picture_classifier import ResNetClassifier, resize_and_crop
from scripts.models.weights import read_tensors

SIDE = 224
_TINY = 1e-12  # no zero under the logarithm


class FreDect(ResNetClassifier):
    """FreDect (Frank et al., Leveraging frequency analysis for deep fake image recognition, 2020).

    As in the harness where Table 3's detectors are found together: a ResNet-50 with one output, the
    checkpoint's key is 'netC'; always resized to 256 and cropped to 224, since the coefficients'
    means and variances are of that size.
    """

    def __init__(self, weights: Mapping[str, str], *, device: str = "auto"):
        """Load the files FreDect.pth, dct_mean and dct_var in the folder ``weights['path']``.

        Raises:
            UserError: a file is missing or does not fit.
        """
        super().__init__(
            weights, classifier="FreDect.pth", key="netC", resize=256, crop=SIDE, device=device
        )
        self._mean = _coefficients(self._folder / "dct_mean")
        self._deviation = np.sqrt(_coefficients(self._folder / "dct_var"))

    def prepare(self, picture: np.ndarray) -> torch.Tensor:
        """Return the normalised log cosine transform: float32 of shape (3, 224, 224)."""
        pixels = np.asarray(resize_and_crop(picture, 256, SIDE), np.float64)
        spectrum = dct(dct(pixels, type=2, norm="ortho", axis=0), type=2, norm="ortho", axis=1)
        normalised = (np.log(np.abs(spectrum) + _TINY) - self._mean) / self._deviation
        return torch.from_numpy(normalised).permute(2, 0, 1).float()


def _coefficients(path: Path) -> np.ndarray:
    tensor = read_tensors(path).get("")
    if tensor is None or tuple(tensor.shape) != (3, SIDE, SIDE):
        raise UserError(f"weights file {path} is no tensor of shape (3, {SIDE}, {SIDE})")
    return tensor.permute(1, 2, 0).double().numpy()
