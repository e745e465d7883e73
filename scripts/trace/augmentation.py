"""Random changes of training pictures that leave their source recognisable."""

import torch
from torch.nn import functional

ZOOM = (0.6, 1.0)
"""Share of the picture's side that is kept, drawn evenly."""
LIGHT = 0.25
"""Brightness and contrast change by up to this factor, up or down."""


def augment_lightly(pixels: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Zoom in, shift, mirror and change the light of each picture.

    Training from scratch on a few pictures needs this; the paper's recipe, which begins from
    trained weights, has none.

    Args:
        pixels: float of shape (batch, 3, side, side), normalised.
        random: a generator of the CPU; the draws are the same on every device.
    """
    draws = torch.rand(6, len(pixels), generator=random)
    zoom = ZOOM[0] + (ZOOM[1] - ZOOM[0]) * draws[0]
    mirror = torch.where(draws[1] < 0.5, -1.0, 1.0)
    across, down = (1 - zoom) * (2 * draws[2] - 1), (1 - zoom) * (2 * draws[3] - 1)
    nothing = torch.zeros_like(zoom)
    affine = torch.stack(
        [torch.stack([zoom * mirror, nothing, across]), torch.stack([nothing, zoom, down])]
    ).permute(2, 0, 1)
    grid = functional.affine_grid(affine.to(pixels.device), list(pixels.shape), align_corners=False)
    pixels = functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    contrast, brightness = (LIGHT * (2 * draw - 1) for draw in draws[4:].to(pixels.device))
    return pixels * (1 + contrast.view(-1, 1, 1, 1)) + brightness.view(-1, 1, 1, 1)
