"""How the camera moved: one move of the whole picture, fitted robustly to optical flow.

A place is a complex number x + iy, from the picture's middle, in shorter sides. A move takes z to
``turn * z + shift``: ``turn`` holds scale and rotation, so that moves follow each other by two
multiplications. Things that move by themselves are outliers of the fit.
"""

import cmath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 32
"""Pairs of places from which a first guess is made; all of them wrong, at 60 % that is camera:
below 1e-6."""
PLACES = 24
"""Places along the shorter side that a fit looks at; more make it no better."""
STEPS = 8
"""Fits after the first guess, each with the weights of the one before."""
TUKEY = 4.685
"""Residuals, in deviations, from which on a place counts nothing (Tukey's biweight)."""
FINEST = 1e-4
"""Smallest deviation of the residuals, in shorter sides: finer than any flow."""
VBENCH_STEP = 0.005
"""Shorter sides by which an edge must move to count (VBench, ``camera_motion``)."""
# VBench: how top and bottom, or left and right edge move -> what the camera does.
_MOVES = {
    ("left", "left"): "pan_right",
    ("right", "right"): "pan_left",
    ("down", "down"): "tilt_up",
    ("up", "up"): "tilt_down",
    ("", ""): "static",
}
_ROWS = _MOVES | {("up", "down"): "zoom_in", ("down", "up"): "zoom_out"}
_COLUMNS = _MOVES | {("left", "right"): "zoom_in", ("right", "left"): "zoom_out"}
MOVES = (*dict.fromkeys(_ROWS.values()),)
"""The seven classes of VBench."""


@dataclass(frozen=True)
class GlobalMove:
    """How a picture as a whole moved: the scene, opposite to the camera.

    Attributes:
        turn: scale and rotation, 1 for none; above 1 the camera came nearer.
        shift: of the middle, in shorter sides; y points down.
    """

    turn: complex = 1 + 0j
    shift: complex = 0j

    def then(self, later: "GlobalMove") -> "GlobalMove":
        """Return this move and another after it, as one."""
        return GlobalMove(later.turn * self.turn, later.turn * self.shift + later.shift)

    def at(self, place: complex) -> complex:
        """Return by how much a place moves."""
        return (self.turn - 1) * place + self.shift

    @property
    def pan(self) -> float:
        """How far the camera turned to the right, in shorter sides of the picture."""
        return -self.shift.real

    @property
    def tilt(self) -> float:
        """How far the camera turned up, in shorter sides of the picture."""
        return self.shift.imag

    @property
    def zoom(self) -> float:
        """The natural logarithm of the scale: above 0 the camera zoomed in."""
        return float(np.log(abs(self.turn)))

    @property
    def rotation(self) -> float:
        """By how many degrees the scene turned clockwise."""
        return float(np.degrees(cmath.phase(self.turn)))


def fit_move(flow: np.ndarray) -> GlobalMove:
    """Fit a move to optical flow, by draws of two places and then by reweighting.

    Args:
        flow: displacement of shape (2, height, width), x and y, in pixels.
    """
    height, width = flow.shape[1:]
    short = min(height, width)
    apart = max(1, short // PLACES)
    rows, columns = np.mgrid[apart // 2 : height : apart, apart // 2 : width : apart]
    flow = flow[:, rows, columns]
    places = (columns - (width - 1) / 2 + 1j * (rows - (height - 1) / 2)).ravel() / short
    moved = (flow[0] + 1j * flow[1]).ravel().astype(complex) / short
    draw = np.random.default_rng(0).integers(len(places), size=(2, DRAWS))
    draw = draw[:, places[draw[0]] != places[draw[1]]]
    turns = (moved[draw[1]] - moved[draw[0]]) / (places[draw[1]] - places[draw[0]])
    shifts = moved[draw[0]] - turns * places[draw[0]]
    misses = np.abs(turns[:, None] * places + shifts[:, None] - moved)
    best = np.median(misses, axis=1).argmin()
    turn, shift = turns[best], shifts[best]
    for _ in range(STEPS):
        miss = np.abs(turn * places + shift - moved)
        # 1.1774: the median length of a residual whose x and y both have deviation 1.
        ratio = miss / (TUKEY * max(np.median(miss) / 1.1774, FINEST))
        weights = np.where(ratio < 1, (1 - ratio**2) ** 2, 0)
        weights /= weights.sum()
        middle, mean = (weights * places).sum(), (weights * moved).sum()
        offsets = places - middle
        spread = (weights * np.abs(offsets) ** 2).sum()
        turn = (weights * offsets.conj() * (moved - mean)).sum() / spread
        shift = mean - turn * middle
    return GlobalMove(1 + complex(turn), complex(shift))


def moves_together(moves: Iterable[GlobalMove]) -> GlobalMove:
    """Return the move from the first frame to the last, of those between neighbours."""
    whole = GlobalMove()
    for move in moves:
        whole = whole.then(move)
    return whole


def classify(move: GlobalMove, step: float = VBENCH_STEP) -> set[str]:
    """Return what the camera does by VBench's rule on the middles of a square's edges.

    Args:
        move: of a whole video.
        step: shorter sides by which an edge must move to count.

    Returns:
        Set of ``MOVES``; empty where the edges fit no class, such as those of a rotation.
    """
    return _classes([move.at(place) for place in (-0.5j, 0.5j, -0.5, 0.5)], step)


def classify_tracked(move: GlobalMove, height: int, width: int) -> set[str]:
    """Return what the camera does by VBench-I2V's rule on the points that it tracks.

    CoTracker follows a grid of ten by ten points, in a picture of 384 x 512, whose sixth stand for
    the edges; places are cut to whole pixels. Here the points go where the fitted move takes them.

    Args:
        move: of a whole video.
        height: of the video, in pixels...
        width: ...and its width.

    Returns:
        As ``classify``.
    """
    across, along = (np.linspace(8, side - 8, 10) / (side - 1) for side in (512, 384))
    short, middle = min(height, width), complex(width - 1, height - 1) / 2
    moved = []
    for column, row in ((5, 0), (5, 9), (0, 5), (9, 5)):
        start = complex(across[column] * (width - 1), along[row] * (height - 1))
        end = start + short * move.at((start - middle) / short)
        moved.append(_whole(end) - _whole(start))
    return _classes(moved, VBENCH_STEP * short)


def _whole(place: complex) -> complex:
    return complex(int(place.real), int(place.imag))


def _classes(edges: Sequence[complex], step: float) -> set[str]:
    """Return the classes of how the top, bottom, left and right edge move."""
    top, bottom, left, right = (_directions(moved, step) for moved in edges)
    rows = [_ROWS.get((a, b), "") for a in top for b in bottom]
    columns = [_COLUMNS.get((a, b), "") for a in left for b in right]
    still = rows == columns == ["static"]
    return {"static"} if still else {*rows, *columns} - {"", "static"}


def _directions(moved: complex, step: float) -> list[str]:
    across = "right" if moved.real > step else "left" if moved.real < -step else ""
    along = "down" if moved.imag > step else "up" if moved.imag < -step else ""
    return [each for each in (across, along) if each] or [""]
