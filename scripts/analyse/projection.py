"""Projection of embeddings onto a plane: principal components, and UMAP on these."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg import eigh

SPAN = 20.0
"""Longer side of a map; UMAP's are about as large, and WizMap's kernel is made for such."""
_PIECE = 50_000


def project(
    parts: Callable[[], Iterator[np.ndarray]],
    *,
    method: str,
    components: int,
    neighbours: int,
    min_dist: float,
    sample: int,
    seed: int,
) -> np.ndarray:
    """Return where points lie on a plane, about its middle, as float64 of shape (points, 2).

    Vectors are read twice, piece by piece; of each, ``components`` numbers are kept at a time.

    Args:
        parts: returns all vectors, in pieces of shape (points, numbers).
        method: ``pca``: the first two principal components; ``umap``: UMAP (McInnes et al. 2018)
            of the first ``components``.
        components: principal components that UMAP sees.
        neighbours: points whose distances UMAP tries to keep.
        min_dist: how near to each other UMAP puts points, 0 to 1.
        sample: points, drawn with the seed, among which UMAP looks for neighbours; the others are
            put between those of them that are nearest.
        seed: of UMAP and of the draw.
    """
    kept = components if method == "umap" else 2
    mean, axes = _principal_axes(parts(), kept)
    places = np.concatenate([(part - mean) @ axes for part in parts()])
    if method == "umap":
        places = _umap(places.astype(np.float32), neighbours, min_dist, sample, seed)
    places = places - (places.min(axis=0) + places.max(axis=0)) / 2
    return (places * SPAN / max(np.ptp(places, axis=0).max(), 1e-9)).astype(np.float64)


def _principal_axes(parts: Iterator[np.ndarray], kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the axes of most variance, of shape (numbers, kept), most first."""
    points, total, products = 0, np.zeros(1), np.zeros((1, 1))
    for part in parts:
        vectors = part.astype(np.float64)
        points, total = points + len(vectors), total + vectors.sum(axis=0)
        products = products + vectors.T @ vectors
    mean = total / max(1, points)
    covariance = products / max(1, points) - np.outer(mean, mean)
    size = len(covariance)
    _, axes = eigh(covariance, subset_by_index=[max(0, size - kept), size - 1])
    axes = axes[:, ::-1]
    # Which way an axis points is nobody's choice: its largest number is positive.
    largest = np.abs(axes).argmax(axis=0)
    return mean, axes * np.sign(axes[largest, np.arange(axes.shape[1])])


def _umap(
    vectors: np.ndarray, neighbours: int, min_dist: float, sample: int, seed: int
) -> np.ndarray:
    from umap import UMAP  # half a minute where numba has not compiled it before

    drawn = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:sample])
    network = UMAP(n_neighbors=neighbours, min_dist=min_dist, random_state=seed, n_jobs=1)
    places = np.empty((len(vectors), 2))
    places[drawn] = network.fit_transform(vectors[drawn])
    rest = np.setdiff1d(np.arange(len(vectors)), drawn)
    for start in range(0, len(rest), _PIECE):
        piece = rest[start : start + _PIECE]
        places[piece] = network.transform(vectors[piece])
    return places
