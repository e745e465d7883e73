"""What WizMap's viewer shows of a map beside its points: contours of density, and words of places.

The viewer's own builder (package wizmap 0.1.7) sums a kernel for each point at each place of its
grid and hangs every text into a tree. Here points are counted into cells first, and cells are
smoothed: the same numbers, in memory that does not grow with the points.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

PLACES = 200
"""Of the grid, in each direction."""
LARGEST_SAMPLE = 100_000
"""Points from which the builder takes the width of its kernel, at most; it also stops there."""
CELLS_OF_WIDTH = 16
"""Cells in the width of the kernel, by which densities come out right to the fourth decimal."""
MOST_CELLS = 4096
"""In each direction: 130 MB."""
WORDS = 4
LARGEST_ZOOM, WINDOW_PX, TILE_PX = 30, 1000, 35
"""Of the viewer: how far one can zoom in, the window's side and how large a place with words is."""
DECIMALS = 3


class Density:
    """Counts points into cells, piece by piece, and smooths the cells into the viewer's grid."""

    def __init__(self, low: np.ndarray, high: np.ndarray, points: int):
        """Take the smallest and the largest x and y of all points, and how many there are.

        The grid is a square around them, with a margin of 2 % on the longer side.
        """
        span = (high - low).max() or 1.0  # all at one place
        margin = np.where(high - low == span, span / 50, 0)
        side = span + 2 * span / 50
        margin = np.where(margin == 0, (side - (high - low)) / 2, margin)
        self.low, self.high = low - margin, high + margin
        # Silverman's rule in two dimensions, for points of variance 1, as the builder has it.
        self._width = float(min(points, LARGEST_SAMPLE) ** (-1 / 6))
        step = side / (PLACES - 1)
        finer = int(np.ceil(CELLS_OF_WIDTH * step / self._width))
        self._cells = 1 + (PLACES - 1) * min(finer, MOST_CELLS // PLACES)
        self._counts = np.zeros((self._cells, self._cells))
        self.points = 0

    def add(self, places: np.ndarray) -> None:
        """Count points of shape (points, 2), each divided among the four cells next to it."""
        scaled = (places - self.low) / (self.high - self.low) * (self._cells - 1)
        corner = np.clip(np.floor(scaled).astype(int), 0, self._cells - 2)
        rest = scaled - corner
        for right, above in ((0, 0), (0, 1), (1, 0), (1, 1)):
            share = np.abs(1 - right - rest[:, 0]) * np.abs(1 - above - rest[:, 1])
            flat = (corner[:, 1] + above) * self._cells + corner[:, 0] + right
            self._counts += np.bincount(flat, share, self._cells**2).reshape(self._counts.shape)
        self.points += len(places)

    def grid(self) -> np.ndarray:
        """Return the density at the grid's places, of shape (y, x)."""
        across, up = (self._kernel(axis) for axis in (0, 1))
        return up @ self._counts @ across.T / max(1, self.points)

    def _kernel(self, axis: int) -> np.ndarray:
        """Return the kernel's value at each place for each cell, along one axis."""
        low, high = self.low[axis], self.high[axis]
        places, cells = (np.linspace(low, high, count) for count in (PLACES, self._cells))
        # To divide a point among cells widens the kernel by a sixth of their squared width.
        variance = self._width**2 - ((high - low) / (self._cells - 1)) ** 2 / 6
        distance = places[:, None] - cells
        return np.exp(-(distance**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def describe_density(whole: Density, groups: dict[str, Density]) -> dict[str, Any]:
    """Return the contours of all points, and of each group where there are several, for the viewer."""
    described: dict[str, Any] = {
        "grid": _rounded(whole),
        "xRange": [float(whole.low[0]), float(whole.high[0])],
        "yRange": [float(whole.low[1]), float(whole.high[1])],
        "padded": True,
        "sampleSize": min(whole.points, LARGEST_SAMPLE),
        "totalPointSize": whole.points,
    }
    if len(groups) > 1:
        described["groupGrids"] = {name: _rounded(one) for name, one in groups.items()}
        described["groupTotalPointSizes"] = {name: one.points for name, one in groups.items()}
        described["groupNames"] = list(groups)
    return described


def _rounded(density: Density) -> list[list[float]]:
    return density.grid().round(4).tolist()


def describe_words(places: np.ndarray, texts: Sequence[str]) -> dict[str, Any]:
    """Return the four words that set each place of a map apart, at each zoom, for the viewer.

    Args:
        places: float of shape (texts, 2).
        texts: at these places; without English stop words, as scikit-learn has them.
    """
    low, high = places.min(axis=0), places.max(axis=0)
    corner, side = np.floor(low), 1.0
    while (corner + side <= high).any():
        side *= 2
    counter = CountVectorizer(stop_words="english")
    counts = counter.fit_transform(texts).tocoo()
    vocabulary = counter.get_feature_names_out()
    levels = _levels(side / ((high - low).max() or side))
    return {
        "extent": [corner.tolist(), (corner + side).tolist()],
        "range": [*low.tolist(), *high.tolist()],
        "data": {
            str(level): list(_tiles(level, places, corner, side, counts, vocabulary))
            for level in range(min(levels), max(levels) + 1)
        },
    }


def _levels(share: float) -> list[int]:
    """Return into how many halvings of the square a place with words fits best, at each zoom."""
    halvings = np.arange(1, 21)
    zooms = np.arange(1, LARGEST_ZOOM + 0.5, 0.5)
    sizes = zooms[:, None] * WINDOW_PX * share / 2.0**halvings
    return halvings[np.abs(sizes - TILE_PX).argmin(axis=1)].tolist()


def _tiles(
    level: int,
    places: np.ndarray,
    corner: np.ndarray,
    side: float,
    counts: Any,
    vocabulary: np.ndarray,
) -> Iterator[list]:
    """Yield x, y and words of each tile of a level that has a point, by TF-IDF among its tiles."""
    step = side / 2**level
    cells = ((places - corner) // step).astype(np.int64)
    tiles, tile = np.unique(cells[:, 1] << 32 | cells[:, 0], return_inverse=True)
    size = len(vocabulary)
    pairs, place = np.unique(tile[counts.row] * size + counts.col, return_inverse=True)
    number = np.bincount(place, counts.data)
    row, word = pairs // size, pairs % size
    # The builder's table has a row for each text, most of them empty.
    weight = np.log((1 + len(places)) / (1 + np.bincount(word, minlength=size))) + 1
    order = np.lexsort((word, -(number * weight[word]).round(9), row))
    starts = np.searchsorted(row[order], np.arange(len(tiles) + 1))
    for index, one in enumerate(tiles):
        best = word[order[starts[index] : min(starts[index] + WORDS, starts[index + 1])]]
        words = [*vocabulary[best], *[""] * WORDS][:WORDS]
        first = (corner + np.array([one & 0xFFFFFFFF, one >> 32]) * step).tolist()
        edges = [(round(edge, DECIMALS), round(edge + step, DECIMALS)) for edge in first]
        yield [*(round(sum(both) / 2, DECIMALS) for both in edges), "-".join(words)]
