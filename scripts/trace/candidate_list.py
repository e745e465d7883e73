"""The challenge's list of candidates: the best pairs of all queries together, however many of each.

The Image Similarity Challenge takes a list of 500,000 pairs of 50,000 queries
(https://github.com/facebookresearch/isc2021), and so does TIP-I2V's author in his published
matching (https://github.com/WangWenhao0716/AnyPattern, Test/match.sh: ``--max_results 500000``).
The best ten of each query, as SSCD's evaluation takes them, are other pairs: a query with many near
references then has fewer wrong pairs in the list, and one without any has ten nevertheless.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Takes the numbers of queries, ascending, and how many references of each are wanted; returns
their scores and numbers, best first, both of shape (queries, wanted)."""


class Pairs(NamedTuple):
    """Pairs of query and reference, query by query, of each the best first.

    Attributes:
        queries: number of each pair's query.
        ranks: of the reference among the query's, from 1.
        scores: of each pair.
        references: number of each pair's reference.
    """

    queries: np.ndarray
    ranks: np.ndarray
    scores: np.ndarray
    references: np.ndarray


def best_pairs(
    search: Search,
    queries: np.ndarray,
    found: tuple[np.ndarray, np.ndarray],
    *,
    candidates: int,
    references: int,
) -> Pairs:
    """Return what was found, and beyond it every pair that is among the best of all.

    Those of a query are the first in its own order, so only a query whose last reference is still
    better than the worst pair of the list is searched for again, deeper. Such queries have fewer
    pairs in hand than the list is long: memory is a few times the list, whatever the pictures.

    Args:
        search: for the references of some queries.
        queries: numbers of the queries, ascending.
        found: what ``search`` gave for them, of each the same number.
        candidates: pairs in the list; with 0 there is none.
        references: how many there are.
    """
    finished: list[Pairs] = []
    left, (scores, numbers) = queries, found
    kept = scores.shape[1]
    while True:
        floor = _floor([*(pairs.scores for pairs in finished), scores.ravel()], candidates)
        width = scores.shape[1]
        deeper = (
            (scores[:, -1] > floor) & (width < references) if width else np.zeros(len(left), bool)
        )
        finished.append(_pairs(left[~deeper], scores[~deeper], numbers[~deeper]))
        left = left[deeper]
        if not len(left):
            break
        width = max(4 * width, -(-candidates // len(queries)))
        scores, numbers = search(left, min(width, references))
    pairs = Pairs(*(np.concatenate(parts) for parts in zip(*finished, strict=True)))
    listed = (pairs.ranks <= kept) | (pairs.scores >= floor)
    order = np.lexsort((pairs.ranks[listed], pairs.queries[listed]))
    return Pairs(*(part[listed][order] for part in pairs))


def _floor(scores: list[np.ndarray], candidates: int) -> float:
    """Return the worst score of the list: no pair below it can be in it."""
    if not candidates:
        return np.inf
    pool = np.concatenate(scores)
    return np.partition(pool, -candidates)[-candidates] if len(pool) >= candidates else -np.inf


def _pairs(queries: np.ndarray, scores: np.ndarray, numbers: np.ndarray) -> Pairs:
    ranks = np.tile(np.arange(1, scores.shape[1] + 1, dtype=np.int32), len(queries))
    return Pairs(np.repeat(queries, scores.shape[1]), ranks, scores.ravel(), numbers.ravel())
