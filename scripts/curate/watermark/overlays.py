"""Fixed overlays common to many pictures, such as a generator's logo: found, and looked for.

After Dekel et al., 'On the Effectiveness of Visible Watermarks' (CVPR 2017): at the edges of an
overlay the gradients of all pictures agree, everywhere else they do not. Theirs is the median of
the gradients; here it is the mean of clipped ones, which needs no picture in memory and sees an
overlay that only some of the pictures have. What is an overlay and what is chance, two halves of
the pictures decide: what the mean of one half says, that of the other must repeat.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

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

SLACK, WIDE_SLACK = 2, 4
"""Pixels by which an overlay is looked for around its place: in pictures of its size, of others."""
SHIFTS = ((1, 1), (1, 2), (2, 1), (2, 2))
"""Thirds of height and width by which pictures are shifted to see how chance scores."""


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
        self._sums: list[np.ndarray] = []

    def add(self, luma: np.ndarray) -> None:
        """Take a picture (float32 of shape (height, width), grey levels)."""
        gradients, half = clipped_gradients(luma), self.count % 2
        self._sums = self._sums or [np.zeros_like(gradients)] * 2  # of one picture a half is empty
        self._sums[half] = self._sums[half] + gradients
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


def score_picture(
    picture: np.ndarray,
    overlays: Sequence[Overlay],
    shifts: Sequence[tuple[int, int]] = ((0, 0),),
    *,
    as_rare: bool = False,
) -> list[float]:
    """Return how well a picture fits the best of some overlays.

    The score is the normalised cross-correlation of clipped gradients where the overlay has edges.
    Overlays found in pictures of the same size are looked for in their place; where there are none,
    those of other sizes are, in the same place as seen from the nearest corner, and as large as
    there, or grown with the width or the height.

    Args:
        picture: uint8 RGB of shape (height, width, 3).
        overlays: found in pictures of whatever size.
        shifts: thirds of height and width by which the picture is shifted first, round its borders,
            so that what is fixed in it is no longer in its place.
        as_rare: look in all places, as if none of the overlays were of pictures of this size.

    Returns:
        for each shift a score, -1 to 1; 0 where no overlay has a place in the picture.
    """
    size = picture.shape[1], picture.shape[0]
    same = [] if as_rare else [overlay for overlay in overlays if overlay.size == size]
    slack = SLACK if same else WIDE_SLACK
    fields: dict[float, np.ndarray] = {}
    best = [0.0] * len(shifts)
    for overlay in same or overlays:
        for scale in [overlay.scale] if same else sorted(_scales(overlay, size)):
            if scale not in fields:
                fields[scale] = clipped_gradients(read_luma(picture, scale))
            field = fields[scale]
            height, width = field.shape[1:]
            left, top = overlay.box[:2] if same else _place(overlay, (width, height))
            for number, (rows, columns) in enumerate(shifts):
                place = left - columns * width // 3, top - rows * height // 3
                best[number] = max(best[number], _fit(field, overlay, place, slack))
    return best


def chance_threshold(scores: Sequence[float], false_positive_rate: float) -> float:
    """Return the score above which so few of the pictures without an overlay are.

    The quantile of the scores of shifted pictures, and no less than that of a normal distribution
    with their mean and spread: few pictures say little of a rare score.
    """
    if not len(scores):
        return 1.0
    normal = NormalDist(float(np.mean(scores)), max(float(np.std(scores)), 1e-3))
    quantile = float(np.quantile(scores, 1 - false_positive_rate, method="higher"))
    return max(quantile, normal.inv_cdf(1 - false_positive_rate))


def _scales(overlay: Overlay, size: tuple[int, int]) -> set[float]:
    grown = (1.0, *(own / other for own, other in zip(overlay.size, size, strict=True)))
    return {round(overlay.scale * factor, 6) for factor in grown if 1 / 4 <= factor <= 4}


def _place(overlay: Overlay, size: tuple[int, int]) -> tuple[int, int]:
    """Return where an overlay's box begins in a field of another size (width, height)."""
    place = []
    for axis in (0, 1):
        start, length = overlay.box[axis], overlay.box[axis + 2]
        whole = round(overlay.size[axis] * overlay.scale)
        middle = (start + length / 2) / whole
        moved = 0 if middle < 1 / 3 else 1 if middle > 2 / 3 else 1 / 2
        place.append(round(start + moved * (size[axis] - whole)))
    return place[0], place[1]


def _fit(field: np.ndarray, overlay: Overlay, place: tuple[int, int], slack: int) -> float:
    """Return the best correlation of an overlay with a field around a place; 0 if it is too large.

    A box that begins beyond one border goes on at the opposite one.
    """
    _, height, width = overlay.gradient.shape
    if height > field.shape[1] or width > field.shape[2]:
        return 0.0
    rows = np.arange(place[1] - slack, place[1] + height + slack)
    columns = np.arange(place[0] - slack, place[0] + width + slack)
    around = field.take(rows, axis=1, mode="wrap").take(columns, axis=2, mode="wrap")
    mask = np.any(overlay.gradient, axis=0).astype(np.float32)
    common = _slide(around[0], overlay.gradient[0]) + _slide(around[1], overlay.gradient[1])
    energy = _slide(np.square(around).sum(axis=0), mask)
    norm = float(np.square(overlay.gradient).sum())
    return float((common / np.sqrt(np.maximum(norm * energy, 1e-6))).max())


def _slide(field: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the sum of ``kernel`` times ``field`` at each place where it lies within."""
    windows = np.lib.stride_tricks.sliding_window_view(field, kernel.shape)
    return np.einsum("yxhw,hw->yx", windows, kernel)
