"""Variants of one subject found by the distance of their embeddings (Supplement 10).

The paper names HDBSCAN and sentence embeddings for this, but no settings; scikit-learn's is
``name_by_hdbscan``. HDBSCAN's usual choice of clusters does not know how far apart two names of one
thing may be: with few strings it puts 'spaceship' to 'astronaut', with many it splits 'dragon' into
pairs; and it needs time that grows with the square of the variants.

What the workflow does by default, ``name_by_leaders``, is leader clustering at an exact epsilon
(Hartigan, Clustering Algorithms, 1975, chapter 3), the variants taken by frequency: every variant
must itself be near the name of its subject, so that what hangs together by a chain only ('man',
'man in a suit', 'suit') is no subject. It refines HDBSCAN's hierarchy cut at that distance (with
``min_samples=1`` the clusters there are the connected components of the pairs within it: Campello,
Moulavi and Sander 2013, DBSCAN*); a test holds it against scikit-learn's.
"""

import numpy as np

from scripts.common.errors import UserError
from scripts.common.progress import progress

_BLOCK, _TILE = 2048, 8192
"""Variants and names compared at a time: 64 MB of similarities, however many there are."""
HDBSCAN_VARIANTS = 50_000
"""What HDBSCAN takes at most."""


def name_by_hdbscan(
    vectors: np.ndarray, counts: np.ndarray, *, min_cluster_size: int, epsilon: float
) -> np.ndarray:
    """Return as ``name_by_leaders`` what scikit-learn's HDBSCAN puts together.

    A cluster's name is its most frequent variant, however far others are from it.

    Args:
        vectors: as ``name_by_leaders``; a row of zeros belongs to no cluster.
        counts: how often each variant occurs.
        min_cluster_size: of HDBSCAN, whose other settings are scikit-learn's own.
        epsilon: not used: HDBSCAN finds a distance for each cluster.

    Raises:
        UserError: there are more variants than it can do.
    """
    if len(vectors) > HDBSCAN_VARIANTS:
        raise UserError(
            f"annotate.subjects.method 'hdbscan' takes at most {HDBSCAN_VARIANTS:,} unique subjects, "
            f"since its time grows with their square, and there are {len(vectors):,}; set it to "
            "'leaders'"
        )
    from sklearn.cluster import HDBSCAN  # it takes seconds to import

    names, there = np.arange(len(vectors)), np.flatnonzero(vectors.any(axis=1))
    if len(there) <= min_cluster_size:  # all of them would be the one cluster that it never takes
        return names
    model = HDBSCAN(min_cluster_size=min_cluster_size, copy=True)
    labels = model.fit(vectors[there].astype(np.float64)).labels_
    for label in range(labels.max() + 1):
        members = there[labels == label]
        names[members] = members[counts[members].argmax()]
    return names


def name_by_leaders(
    vectors: np.ndarray, counts: np.ndarray, *, min_cluster_size: int, epsilon: float
) -> np.ndarray:
    """Return for each variant the number of the variant that names its subject.

    By frequency, each variant goes to the nearest name within ``epsilon``, or else becomes a name
    itself. A variant that belongs to none (HDBSCAN's noise) names itself alone.

    The search is exact. Memory is that of ``vectors`` and of the names' vectors, and 64 MB; time
    is the number of variants times that of names.

    Args:
        vectors: float32 of shape (variants, dimension), rows of length 1, sorted by variant: of
            equally frequent variants the first gives the name.
        counts: how often each variant occurs.
        min_cluster_size: fewest variants that make a subject; smaller ones fall apart.
        epsilon: greatest Euclidean distance of a variant from its subject's name.
    """
    order = np.argsort(-counts, kind="stable")
    similarity, names = 1 - epsilon**2 / 2, np.arange(len(vectors))
    # Memory that is never written is never taken: this grows with the leaders.
    leaders, near, found = np.empty(len(vectors), int), np.empty_like(vectors), 0
    for start in progress(range(0, len(order), _BLOCK), "names of subjects"):
        rows = order[start : start + _BLOCK]
        block = vectors[rows]
        best, place = _nearest(block, near[:found])
        nearest = leaders[place]
        among, is_leader = block @ block.T, best < similarity
        earlier = np.tril(among >= similarity, -1)
        # All others are decided already; these may be near a leader of their own block.
        for row in np.flatnonzero(earlier.any(axis=1)):
            close = np.flatnonzero(earlier[row] & is_leader)
            if len(close):
                first = close[among[row, close].argmax()]
                is_leader[row] = False
                if among[row, first] > best[row]:
                    nearest[row] = rows[first]
        names[rows] = np.where(is_leader, rows, nearest)
        new = slice(found, found + is_leader.sum())
        leaders[new], near[new], found = rows[is_leader], block[is_leader], new.stop
    sizes = np.bincount(names, minlength=len(names))
    return np.where(sizes[names] >= min_cluster_size, names, np.arange(len(names)))


def _nearest(block: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's similarity to the nearest of some vectors, and the first such's place."""
    best, place = np.full(len(block), -np.inf, np.float32), np.zeros(len(block), int)
    for start in range(0, len(near), _TILE):
        similar = block @ near[start : start + _TILE].T
        columns = similar.argmax(axis=1)
        found = np.take_along_axis(similar, columns[:, None], axis=1)[:, 0]
        place = np.where(found > best, start + columns, place)
        best = np.maximum(best, found)
    return best, place


METHODS = {"leaders": name_by_leaders, "hdbscan": name_by_hdbscan}
"""What ``annotate.subjects.method`` may be."""
