"""The small canvas on which the procedural generators draw: size, words, sampling."""

import re

import numpy as np
from PIL import Image


class Procedure:
    """What procedural generators share: their settings."""

    def __init__(self, weights=None, *, size: int, frames: int, fps: float, device: str = "cpu"):
        """Set the longer side in pixels, the number of frames and the frame rate in 1/s."""
        self._size, self._frames, self._fps = size, frames, fps


def fit_canvas(image: np.ndarray, size: int) -> np.ndarray:
    """Return an image with its longer side at ``size`` pixels, its aspect kept, its sides even.

    Args:
        image: uint8 RGB of shape (height, width, 3), of any size.
        size: longer side in pixels, even and at least 16.

    Returns:
        uint8 RGB of shape (height, width, 3).
    """
    width, height = canvas_size(image, size)
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0))


def canvas_size(image: np.ndarray, size: int) -> tuple[int, int]:
    """Return (width, height) of an image's canvas; very long images keep a side of 16 pixels."""
    height, width = image.shape[:2]
    scale = size / max(width, height)
    return tuple(max(16, 2 * round(side * scale / 2)) for side in (width, height))


def sample(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the image's colours at real coordinates, bilinearly; outside, it is mirrored.

    Args:
        image: float32 of shape (height, width, channels).
        x: float32 of shape (rows, columns), in pixels from the left.
        y: likewise, from the top.

    Returns:
        float32 of shape (rows, columns, channels).
    """
    height, width, channels = image.shape
    x, y = _mirror(x, width - 1), _mirror(y, height - 1)
    left = np.minimum(x.astype(np.int32), width - 2)
    top = np.minimum(y.astype(np.int32), height - 2)
    right_part, low_part = (x - left)[..., None], (y - top)[..., None]
    flat, first = image.reshape(-1, channels), top * width + left
    upper = _blend(np.take(flat, first, 0), np.take(flat, first + 1, 0), right_part)
    first += width
    lower = _blend(np.take(flat, first, 0), np.take(flat, first + 1, 0), right_part)
    return _blend(upper, lower, low_part)


def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every pixel's x and y, float32 of shape (height, width) each."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return x, y


def to_bytes(frames: np.ndarray) -> np.ndarray:
    """Return frames in [0, 255] as uint8, rounded and clipped."""
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def mentions(prompt: str, *phrases: str) -> bool:
    """Return whether the prompt has one of the phrases as whole words, whatever its case."""
    return re.search(rf"\b(?:{'|'.join(phrases)})\b", prompt.casefold()) is not None


def strength(prompt: str) -> float:
    """Return how strong a motion the prompt asks for: 0.6 if gentle, 1.4 if strong, else 1."""
    if mentions(
        prompt, "slow(?:ly)?", "gent(?:le|ly)", "subt(?:le|ly)", "slight(?:ly)?", "calm(?:ly)?"
    ):
        return 0.6
    strong = mentions(
        prompt, "fast", "quick(?:ly)?", "rapid(?:ly)?", "strong(?:ly)?", "wild(?:ly)?"
    )
    return 1.4 if strong else 1.0


def _blend(first: np.ndarray, second: np.ndarray, part: np.ndarray) -> np.ndarray:
    second -= first
    second *= part
    second += first
    return second


def _mirror(position: np.ndarray, last: int) -> np.ndarray:
    return last - np.abs(np.mod(position, 2 * last) - last)
