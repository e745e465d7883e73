"""How well a picture fits the overlays that others have: a score, and from where on it counts."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from scripts.curate.watermark.overlays import Overlay, clipped_gradients, read_luma

SLACK, WIDE_SLACK = 2, 4
"""Pixels by which an overlay is looked for around its place: in pictures of its size, of others."""
SHIFTS = ((1, 1), (1, 2), (2, 1), (2, 2))
"""Thirds of height and width by which pictures are shifted to see how chance scores."""


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
