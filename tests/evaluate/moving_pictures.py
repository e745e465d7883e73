"""Videos for the tests: a textured picture that stands still or moves."""

import numpy as np
from scipy.ndimage import gaussian_filter

from scripts.common.roles import EvaluationItem


def texture(height, width, seed=0):
    """Return a smooth random picture, uint8 RGB."""
    noise = np.random.default_rng(seed).random((height, width, 3))
    smooth = gaussian_filter(noise, (3, 3, 0))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return (255 * smooth).astype(np.uint8)


def pan(frames, step, height=144, width=256):
    """Return a video in which a picture moves to the left by ``step`` pixels a frame."""
    picture = texture(height, width + step * frames)
    return np.stack([picture[:, i * step : i * step + width] for i in range(frames)])


def item_of(frames, fps=8.0, prompt="a cat walks", image=None):
    """Return frames as an item; the image prompt is the first frame if none is given."""
    return EvaluationItem(frames, fps, prompt, frames[0] if image is None else image)
