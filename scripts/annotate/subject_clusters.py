"""Variants of one subject found by the distance of their embeddings (Supplement 10).

The paper names HDBSCAN and sentence embeddings for this, but no settings. HDBSCAN's usual choice
of clusters does not know how far apart two names of one thing may be: with few strings it puts
'spaceship' to 'astronaut', with many it splits 'dragon' into pairs. So its hierarchy is cut at a
distance that is set, and what hangs together by a chain only ('man', 'man in a suit', 'suit') is
taken apart: every variant must itself be near the name of its subject.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_BLOCK = 2048


def find_names(
    vectors: np.ndarray,
    counts: np.ndarray,
    *,
    min_cluster_size: int,
    epsilon: float,
) -> np.ndarray:
    """Return for each variant the number of the variant that names its subject.

    The name is the most frequent variant of its subject, and each variant goes to the nearest
    name within ``epsilon``. A variant that belongs to none names itself.

    Args:
        vectors: float32 of shape (variants, dimension), rows of length 1, sorted by variant: of
            equally frequent variants the first gives the name.
        counts: how often each variant occurs.
        min_cluster_size: fewest variants that make a subject; smaller ones fall apart.
        epsilon: greatest Euclidean distance of a variant from its subject's name.
    """
    names = np.arange(len(vectors))
    for members in density_clusters(vectors, epsilon):
        if len(members) >= min_cluster_size:
            order = members[np.argsort(-counts[members], kind="stable")]
            names[order] = order[_nearest_leaders(vectors[order], epsilon)]
    sizes = np.bincount(names, minlength=len(names))
    return np.where(sizes[names] >= min_cluster_size, names, np.arange(len(names)))


def density_clusters(vectors: np.ndarray, epsilon: float) -> list[np.ndarray]:
    """Return the clusters of HDBSCAN's hierarchy cut at ``epsilon``, as arrays of row numbers.

    With ``min_samples=1`` the mutual reachability distance is the distance itself, and the
    clusters at a level are the connected components of the pairs within it (Campello, Moulavi and
    Sander 2013, DBSCAN*). They are found block by block, exactly and in flat memory, where
    scikit-learn's HDBSCAN holds all distances.

    Args:
        vectors: float32 of shape (rows, dimension), rows of length 1.
        epsilon: Euclidean distance.
    """
    labels = np.arange(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        near = _within(vectors[start : start + _BLOCK], vectors[start:], epsilon)
        left, right = np.nonzero(near)
        edges = (labels[left + start], labels[right + start])
        graph = coo_matrix((np.ones(len(left), bool), edges), shape=(len(labels),) * 2)
        labels = connected_components(graph, directed=False)[1][labels]
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return np.split(order, borders) if len(order) else []


def _nearest_leaders(vectors: np.ndarray, epsilon: float) -> np.ndarray:
    """Return for each row the number of its leader, rows being sorted by frequency.

    A row leads if no leader before it is near; any other row follows the nearest of these.
    """
    leaders: list[int] = []
    found = np.arange(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        # Only leaders before the row count, or a name would be rarer than what it names.
        known = np.array(leaders, int)
        similar = block @ vectors[known].T
        inside = block @ block.T
        fresh: list[int] = []
        for row in range(len(block)):
            candidates = np.concatenate([similar[row], inside[row, fresh]])
            numbers = np.concatenate([known, np.array(fresh, int) + start])
            best = int(candidates.argmax()) if len(candidates) else -1
            if best >= 0 and candidates[best] >= _similarity(epsilon):
                found[start + row] = numbers[best]
            else:
                fresh.append(row)
        leaders += [start + row for row in fresh]
    return found


def _within(left: np.ndarray, right: np.ndarray, epsilon: float) -> np.ndarray:
    return left @ right.T >= _similarity(epsilon)


def _similarity(epsilon: float) -> float:
    """Return the cosine of unit vectors at a Euclidean distance."""
    return 1 - epsilon**2 / 2
