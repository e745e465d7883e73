"""Fixed overlays common to many pictures, such as a generator's logo: found, and looked for.

After Dekel et al., 'On the Effectiveness of Visible Watermarks' (CVPR 2017): at the edges of an
overlay the gradients of all pictures agree, everywhere else they do not. Theirs is the median of
the gradients; here it is the mean of clipped ones, which needs no picture in memory and sees an
overlay that only some of the pictures have. What is an overlay and what is chance, two halves of
the pictures decide: what the mean of one half says, that of the other must repeat.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

CLIP = 8.0
"""Gradient (grey levels per pixel) beyond which an edge counts no more: an object's edges are
steep and few, an overlay's are shallow and always there."""
FRAME = 2
"""Pixels at the border that are left out: encoders leave their own marks there."""
AGREEMENT = 0.5
"""Correlation of the halves from which on a place belongs to an overlay; of chance it is near 0."""
MIN_LEVEL = 0.25
"""Mean gradient that an overlay has at least at its edges (grey levels per pixel)."""
MIN_STRENGTH = 150.0
"""Sum of the levels of an overlay's pixels, at least: some letters at half a grey level."""
TIMES_CHANCE = 3.0
MARGIN = 3


@dataclass(frozen=True)
class Overlay:
    """An overlay: the mean gradients in a box, and the size of the pictures that have it there.

    Attributes:
        size: (width, height) of the pictures in pixels, as files.
        scale: of these to the pixels of ``box``.
        box: left, top, width, height in scaled pixels.
        gradient: float32 of shape (2, height, width): by x, by y; 0 where nothing was found.
    """

    size: tuple[int, int]
    scale: float
    box: tuple[int, int, int, int]
    gradient: np.ndarray


class MeanGradients:
    """The mean of the clipped gradients of pictures of one size, in two halves, one at a time."""

    def __init__(self) -> None:
        self.count = 0
        self._sums: list[np.ndarray | float] = [0.0, 0.0]

    def add(self, luma: np.ndarray) -> None:
        """Take a picture (float32 of shape (height, width), grey levels)."""
        half = self.count % 2
        self._sums[half] = self._sums[half] + clipped_gradients(luma)
        self.count += 1

    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of each half, float32 of shape (2, height, width), slow changes removed.

        Skies are brighter than grounds, so that even means over all pictures have slopes; but those
        are wide, and an overlay's edges are narrow.
        """
        first, second = (
            _without_slopes(total / max(1, number))
            for total, number in zip(
                self._sums, ((self.count + 1) // 2, self.count // 2), strict=True
            )
        )
        return first, second


def scale_of(size: tuple[int, int], working_side: int) -> float:
    """Return the scale at which pictures of a size are looked at: their longer side is bounded."""
    return min(1.0, working_side / max(size))


def read_luma(picture: np.ndarray, scale: float) -> np.ndarray:
    """Return a picture (uint8 RGB) as grey levels, float32 of shape (height, width), scaled."""
    grey = Image.fromarray(picture).convert("L")
    if scale != 1:
        size = [max(1, round(side * scale)) for side in grey.size]
        grey = grey.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)
    return np.asarray(grey, np.float32)


def clipped_gradients(luma: np.ndarray) -> np.ndarray:
    """Return central differences by x and by y, clipped: float32 of shape (2, height, width)."""
    gradients = np.zeros((2, *luma.shape), np.float32)
    gradients[0, :, 1:-1] = (luma[:, 2:] - luma[:, :-2]) / 2
    gradients[1, 1:-1] = (luma[2:] - luma[:-2]) / 2
    return np.clip(gradients, -CLIP, CLIP)


def agreement(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far two fields of gradients agree around each pixel, and how steep they are.

    Args:
        first: of shape (2, height, width).
        second: of the same shape.

    Returns:
        the local correlation, -1 to 1, and the root of the local covariance (grey levels per
        pixel, 0 where the fields do not agree), both of shape (height, width).
    """
    window = max(5, round(max(first.shape[1:]) / 32)) | 1
    products = [(first * second), (first * first), (second * second)]
    common, one, other = (ndimage.uniform_filter(part.sum(0), window) for part in products)
    correlation = common / np.sqrt(np.maximum(one * other, 1e-12))
    return correlation, np.sqrt(np.maximum(common, 0))


def find_overlays(gradients: MeanGradients, size: tuple[int, int], scale: float) -> list[Overlay]:
    """Return the overlays that pictures of one size have in common, the strongest first.

    What two halves have in common by chance is measured with one of them shifted, by thirds of the
    picture: an overlay must be ``TIMES_CHANCE`` as strong as the strongest such.
    """
    first, second = gradients.halves()
    height, width = first.shape[1:]
    chance = 0.0
    for rows, columns in itertools.product(range(3), range(3)):
        if rows or columns:
            shifted = np.roll(second, (rows * height // 3, columns * width // 3), axis=(1, 2))
            chance = max(chance, *(strength for strength, _ in _regions(first, shifted)), 0.0)
    mean = (first + second) / 2
    found = []
    for strength, seen in _regions(first, second):
        if strength < max(MIN_STRENGTH, TIMES_CHANCE * chance):
            continue
        ys, xs = np.nonzero(seen)
        top, left = max(0, ys.min() - MARGIN), max(0, xs.min() - MARGIN)
        bottom, right = min(height, ys.max() + 1 + MARGIN), min(width, xs.max() + 1 + MARGIN)
        part = (slice(None), slice(top, bottom), slice(left, right))
        gradient = np.where(seen[part[1:]], mean[part], 0).astype(np.float32)
        box = (int(left), int(top), int(right - left), int(bottom - top))
        found.append((strength, Overlay(size, scale, box, gradient)))
    return [overlay for _, overlay in sorted(found, key=lambda pair: -pair[0])]


def _regions(first: np.ndarray, second: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Return where two fields agree: (how strongly, mask of shape (height, width)) of each region."""
    correlation, level = agreement(first, second)
    mask = (correlation > AGREEMENT) & (level > MIN_LEVEL)
    mask[:FRAME], mask[-FRAME:], mask[:, :FRAME], mask[:, -FRAME:] = (False,) * 4
    # Letters of one word belong together.
    reach = max(3, round(max(mask.shape) / 64))
    labels, number = ndimage.label(ndimage.binary_dilation(mask, iterations=reach))
    labels[~mask] = 0
    strengths = ndimage.sum_labels(level, labels, range(1, number + 1))
    return [(float(strength), labels == place) for place, strength in enumerate(strengths, 1)]


def _without_slopes(field: np.ndarray) -> np.ndarray:
    width = max(9, round(max(field.shape[1:]) / 16)) | 1
    return (field - ndimage.uniform_filter(field, (0, width, width))).astype(np.float32)
