"""What the published detectors of single pictures share: preparation, batches, sigmoid."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.models import resnet50
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from scripts.models.devices import pick_device
from scripts.models.pixels import IMAGENET
from scripts.models.weights import cut_prefix, load_exactly, read_tensors


def resize_and_crop(
    picture: np.ndarray, resize: int | list[int] | None, crop: int | None
) -> Image.Image:
    """Return a picture with its shorter side resized, then its middle.

    Args:
        picture: uint8 RGB of shape (height, width, 3).
        resize: the shorter side in pixels, or height and width (bilinear, antialiased); None keeps
            the size.
        crop: side of the central square in pixels, with black where the picture is smaller;
            None keeps all.
    """
    image = Image.fromarray(picture)
    if resize is not None:
        image = transforms.resize(image, resize, InterpolationMode.BILINEAR)
    return image if crop is None else transforms.center_crop(image, crop)


class PictureClassifier:
    """A network that gives one logit for each picture; 1 is generated.

    The harness in which Table 3's detectors are found together resizes to 256 and crops 224 unless
    told otherwise, and the paper does not say: both can be switched.
    """

    normalisation = IMAGENET

    def __init__(
        self,
        network: torch.nn.Module,
        *,
        resize: int | list[int] | None = 256,
        crop: int | None = 224,
        device: str = "auto",
    ):
        """Take a network with its weights.

        Args:
            network: pictures of shape (batch, 3, height, width) in, logits (batch, 1) out.
            resize: as ``resize_and_crop``.
            crop: as ``resize_and_crop``.
            device: cpu, cuda or auto.
        """
        self._device = pick_device(device)
        self._network = network.eval().to(self._device)
        self._resize, self._crop = resize, crop

    def prepare(self, picture: np.ndarray) -> torch.Tensor:
        """Return the network's input for a picture: float32 of shape (3, height, width)."""
        image = resize_and_crop(picture, self._resize, self._crop)
        return transforms.normalize(transforms.to_tensor(image), *self.normalisation)

    def seen(self, images: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Return the pictures that the network sees, uint8 RGB: these, or what is made of them.

        Where a network makes them, it does so on the device, in batches.
        """
        return images

    @torch.inference_mode()
    def score(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images,) in [0, 1], 1 for generated; images are uint8 RGB."""
        inputs = [self.prepare(image) for image in self.seen(images)]
        logits = [self._network(batch.to(self._device)).flatten() for batch in batches(inputs)]
        return torch.sigmoid(torch.cat(logits).float()).cpu().numpy()


def batches(pictures: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return pictures in one batch, or one by one where their sizes differ."""
    one_size = len({picture.shape for picture in pictures}) == 1
    return [torch.stack(list(pictures))] if one_size else [picture[None] for picture in pictures]


class ResNetClassifier(PictureClassifier):
    """A ResNet-50 with one output, as most of these detectors are."""

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        classifier: str = "",
        key: str = "model",
        **settings: Any,
    ):
        """Load its checkpoint; the rest as ``PictureClassifier``.

        Args:
            weights: 'path' of the checkpoint, or of a folder that holds it and other files.
            classifier: its name in that folder.
            key: under which its weights lie, unless they are the whole file; those of a training
                on several GPUs begin with 'module.'.
            settings: ``resize``, ``crop`` and ``device``.

        Raises:
            UserError: the weights are missing or do not fit.
        """
        self._folder = Path(weights["path"])
        path = self._folder / classifier
        network = resnet50(num_classes=1)
        load_exactly(network, cut_prefix(read_tensors(path, key, or_bare=True), r"module\."), path)
        super().__init__(network, **settings)


class CnnSpot(ResNetClassifier):
    """CNNSpot (Wang et al., CNN-generated images are surprisingly easy to spot... for now, 2020).

    It was trained on pictures of one GAN.
    """
