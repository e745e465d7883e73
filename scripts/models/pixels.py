"""What networks expect of the channels: mean and standard deviation, of values in [0, 1]."""

from collections.abc import Mapping
from types import MappingProxyType

import torch

Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]

IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI_CLIP: Normalisation = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
HALF: Normalisation = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NONE: Normalisation = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

NORMALISATIONS: Mapping[str, Normalisation] = MappingProxyType(
    {"imagenet": IMAGENET, "clip": OPENAI_CLIP, "half": HALF, "none": NONE}
)
"""By the names that sheets use."""


def normalise(pixels: torch.Tensor, normalisation: Normalisation) -> torch.Tensor:
    """Return pixels as a network takes them.

    Args:
        pixels: (pictures, 3, height, width), 0 to 255, of any type.
        normalisation: mean and standard deviation of the channels.

    Returns:
        float32 of the same shape.
    """
    mean, deviation = (
        torch.tensor(values, device=pixels.device).view(1, 3, 1, 1) for values in normalisation
    )
    return (pixels.float() / 255 - mean) / deviation
