"""CLIP's embeddings of pictures by open_clip (Section 3)."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

from scripts.models.clip import ClipModel


class ClipPictures:
    """Embeds pictures; an ImageEmbedder."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        architecture: str | Mapping = "ViT-B-32-quickgelu",
        batch_size: int = 64,
        precision: str = "float32",
    ):
        """Load the network; arguments and errors as ``ClipModel``."""
        self._model = ClipModel(
            weights, device, architecture=architecture, batch_size=batch_size, precision=precision
        )
        self.dimension = self._model.dimension

    def prepare(self, image: np.ndarray) -> torch.Tensor:
        """Return a picture (uint8 RGB) as uint8 of shape (3, side, side); threads may call it.

        As OpenAI's own code does, but for the last step, which the model takes on its device.
        """
        side = [self._model.image_size]
        picture = resize(Image.fromarray(image), side, InterpolationMode.BICUBIC)
        return pil_to_tensor(center_crop(picture, side))

    def embed(self, images: Sequence[np.ndarray | torch.Tensor]) -> np.ndarray:
        """Return float32 of shape (images, dimension), rows of length 1.

        Args:
            images: uint8 RGB, or as ``prepare`` gives them.
        """
        if not len(images):
            return np.empty((0, self.dimension), np.float32)
        pixels = [
            image if isinstance(image, torch.Tensor) else self.prepare(image) for image in images
        ]
        return self._model.embed_pixels(torch.stack(pixels))

    def embed_text(self, text: str) -> np.ndarray:
        """Return float32 of shape (dimension,), of length 1: a text in the pictures' space."""
        return self._model.embed_text(text)
