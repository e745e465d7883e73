"""From pictures of any size to what a network takes: resize, crop, normalise."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from scripts.common.errors import UserError
from scripts.common.pictures import interpolation_of
from scripts.models.pixels import NORMALISATIONS, normalise

_RESIZES = ("squeeze", "crop")


@dataclass(frozen=True)
class Preprocessing:
    """How a tracer wants its pictures.

    Attributes:
        image_size: side of the square that the network takes, in pixels.
        resize: ``squeeze``: both sides to ``image_size``, whatever the shape (as the paper's
            author does for every model); ``crop``: the shorter side to ``shorter_side``, then the
            centre.
        shorter_side: for ``crop``; ``image_size`` by default.
        interpolation: ``bicubic`` or ``bilinear``, antialiased, as PIL does it.
        normalisation: a name in ``NORMALISATIONS``.
    """

    image_size: int = 224
    resize: str = "squeeze"
    shorter_side: int | None = None
    interpolation: str = "bicubic"
    normalisation: str = "imagenet"

    def __post_init__(self):
        interpolation_of(self.interpolation)
        for key, known in (("resize", _RESIZES), ("normalisation", tuple(NORMALISATIONS))):
            if getattr(self, key) not in known:
                raise UserError(
                    f"config/tracers.yaml: '{key}' is {getattr(self, key)!r}; it may be one of: "
                    f"{', '.join(known)}"
                )

    @property
    def shape(self) -> tuple[int | str | None, ...]:
        """All that decides ``to_square``: tracers that agree in it share a picture's square."""
        return self.image_size, self.resize, self.shorter_side, self.interpolation

    def to_square(self, image: np.ndarray) -> np.ndarray:
        """Return a picture (uint8 RGB, any size) as uint8 (image_size, image_size, 3)."""
        size, filter_ = self.image_size, interpolation_of(self.interpolation)
        picture = Image.fromarray(image)
        if self.resize == "squeeze":
            if picture.size == (size, size):
                return image
            return np.asarray(picture.resize((size, size), filter_))
        side = self.shorter_side or size
        scale = side / min(picture.size)
        width, height = (max(size, round(scale * length)) for length in picture.size)
        left, top = (width - size) // 2, (height - size) // 2
        picture = picture.resize((width, height), filter_)
        return np.asarray(picture.crop((left, top, left + size, top + size)))

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return uint8 of shape (images, 3, height, width) as normalised float32."""
        return normalise(pixels, NORMALISATIONS[self.normalisation])
