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
    vectors: np.ndarray,
    counts: np.ndarray,
    *,
    min_cluster_size: int,
    epsilon: float,
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
    vectors: np.ndarray,
    counts: np.ndarray,
    *,
    min_cluster_size: int,
    epsilon: float,
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
    leaders = _Leaders(vectors, similarity=1 - epsilon**2 / 2)
    for start in progress(range(0, len(order), _BLOCK), "names of subjects"):
        leaders.place(order[start : start + _BLOCK])
    names = leaders.names
    sizes = np.bincount(names, minlength=len(names))
    return np.where(sizes[names] >= min_cluster_size, names, np.arange(len(names)))


METHODS = {"leaders": name_by_leaders, "hdbscan": name_by_hdbscan}
"""What ``annotate.subjects.method`` may be."""


class _Leaders:
    """The names found so far, to which variants come in blocks, the most frequent first."""

    def __init__(self, vectors: np.ndarray, similarity: float):
        self._vectors, self._similarity = vectors, similarity
        self.names = np.arange(len(vectors))
        self._found = 0
        self._numbers = np.empty(len(vectors), int)
        # Memory that is never written is never taken: this grows with the names.
        self._near = np.empty_like(vectors)

    def place(self, rows: np.ndarray) -> None:
        """Give each of ``rows``, in their order, its name."""
        block = self._vectors[rows]
        best, nearest = self._search(block)
        among = block @ block.T
        earlier = np.tril(among >= self._similarity, -1)
        is_leader = best < self._similarity
        # All others are decided already; these may be near a leader of their own block.
        for row in np.flatnonzero(earlier.any(axis=1)):
            near = np.flatnonzero(earlier[row] & is_leader)
            if len(near):
                first = near[among[row, near].argmax()]
                is_leader[row] = False
                if among[row, first] > best[row]:
                    nearest[row] = rows[first]
        self.names[rows] = np.where(is_leader, rows, nearest)
        self._add(rows[is_leader], block[is_leader])

    def _search(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each row's similarity to the nearest name, the first of equals, and its number."""
        best = np.full(len(block), -np.inf, np.float32)
        nearest = np.zeros(len(block), int)
        for start in range(0, self._found, _TILE):
            tile = slice(start, min(start + _TILE, self._found))
            similar = block @ self._near[tile].T
            columns = similar.argmax(axis=1)
            found = similar[np.arange(len(block)), columns]
            better = found > best
            best[better] = found[better]
            nearest[better] = self._numbers[tile][columns[better]]
        return best, nearest

    def _add(self, numbers: np.ndarray, vectors: np.ndarray) -> None:
        place = slice(self._found, self._found + len(numbers))
        self._numbers[place], self._near[place] = numbers, vectors
        self._found += len(numbers)
