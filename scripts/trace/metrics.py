"""How well queries find their references: micro average precision and what stands beside it.

The definitions are those of the Image Similarity Challenge
(https://github.com/facebookresearch/isc2021, isc/metrics.py), which TIP-Trace takes over
(Supplement 15). All functions take one list of predictions for the whole set of queries.
"""

from collections.abc import Sequence

import numpy as np

Numbers = np.ndarray | Sequence[float]
Flags = np.ndarray | Sequence[bool]


def micro_average_precision(scores: Numbers, is_match: Flags, *, positives: int) -> float:
    """Return the micro average precision (muAP) of one list of predictions.

    Predictions are ranked by score, highest first; among equal scores the wrong ones come first
    (the worst case). muAP is the sum over the true predictions of the precision at their rank,
    divided by ``positives``: a pair that is missing from the list counts as never found, and
    predictions of queries that have no match only cost precision. Nothing is interpolated.

    Args:
        scores: similarity of each predicted pair, shape (predictions,).
        is_match: whether the pair is a true one, shape (predictions,).
        positives: number of true pairs that there are, found or not.

    Returns:
        A share in [0, 1]; NaN where ``positives`` is 0.

    Raises:
        ValueError: lengths differ, a score is not a number, or more pairs were found than exist.
    """
    scores, is_match = _checked(scores, is_match, positives)
    if not positives:
        return float("nan")
    found = is_match[_ranking(scores, is_match)]
    ranks = np.flatnonzero(found) + 1
    return float(np.sum(np.arange(1, len(ranks) + 1) / ranks) / positives)


def recall_at_precision(
    scores: Numbers, is_match: Flags, *, positives: int, precision: float = 0.9
) -> float:
    """Return the largest recall at which the precision is still at least ``precision``.

    Args:
        scores: as ``micro_average_precision``, ties as there.
        is_match: likewise.
        positives: likewise.
        precision: in (0, 1].

    Returns:
        A share in [0, 1]; NaN where ``positives`` is 0.
    """
    scores, is_match = _checked(scores, is_match, positives)
    if not positives:
        return float("nan")
    found = np.cumsum(is_match[_ranking(scores, is_match)])
    precise = found >= precision * np.arange(1, len(found) + 1)
    return float(found[precise].max(initial=0) / positives)


def recall_at_1(
    queries: Sequence | np.ndarray, scores: Numbers, is_match: Flags, *, positives: int
) -> float:
    """Return the share of the true pairs whose reference is the query's single best one.

    A query whose best score is shared by a wrong reference is not counted.

    Args:
        queries: the query of each prediction, shape (predictions,).
        scores: as ``micro_average_precision``.
        is_match: likewise.
        positives: likewise.

    Returns:
        A share in [0, 1]; NaN where ``positives`` is 0.
    """
    scores, is_match = _checked(scores, is_match, positives)
    if not positives:
        return float("nan")
    _, codes = np.unique(np.asarray(queries), return_inverse=True)
    best_wrong = np.full(codes.max(initial=-1) + 1, -np.inf)
    np.maximum.at(best_wrong, codes[~is_match], scores[~is_match])
    return float(np.sum(scores[is_match] > best_wrong[codes[is_match]]) / positives)


def bootstrap_interval(
    queries: np.ndarray,
    scores: Numbers,
    is_match: Flags,
    *,
    has_match: Flags,
    resamples: int,
    seed: int,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of muAP when queries are drawn anew with replacement.

    Args:
        queries: the query of each prediction, as a number from 0, shape (predictions,).
        scores: as ``micro_average_precision``.
        is_match: likewise.
        has_match: whether each query has a true pair, found or not, shape (queries,).
        resamples: how often the queries are drawn.
        seed: of the draws.
        level: share of the draws inside the interval.

    Returns:
        The lower and the upper end; NaN where no draw held a true pair.
    """
    has_match = np.asarray(has_match, bool)
    scores, is_match = _checked(scores, is_match, int(has_match.sum()))
    order = _ranking(scores, is_match)
    owners, found = np.asarray(queries)[order], is_match[order]
    random = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = random.integers(len(has_match), size=len(has_match))
        copies = np.bincount(drawn, minlength=len(has_match))
        positives = int(copies[has_match].sum())
        if positives:
            values.append(_repeated_precision(copies[owners], found) / positives)
    if not values:
        return float("nan"), float("nan")
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def _repeated_precision(copies: np.ndarray, found: np.ndarray) -> float:
    """Sum the precisions at the true predictions of a ranking, each prediction taken n times.

    Copies of a prediction are equal scores of the same kind, so they stand side by side.
    """
    after = np.cumsum(copies)[found]
    repeats = copies[found]
    true_after = np.cumsum(repeats)
    total = 0.0
    for copy in range(1, int(repeats.max(initial=0)) + 1):
        taken = repeats >= copy
        left = (repeats - copy)[taken]
        total += np.sum((true_after[taken] - left) / (after[taken] - left))
    return float(total)


def _ranking(scores: np.ndarray, is_match: np.ndarray) -> np.ndarray:
    return np.lexsort((is_match, -scores))


def _checked(scores: Numbers, is_match: Flags, positives: int) -> tuple[np.ndarray, np.ndarray]:
    scores = np.asarray(scores, np.float64)
    is_match = np.asarray(is_match, bool)
    if scores.shape != is_match.shape or scores.ndim != 1:
        raise ValueError(f"{scores.shape} scores do not fit {is_match.shape} marks of matches")
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    if is_match.sum() > positives:
        raise ValueError(f"{is_match.sum()} true pairs were found, but only {positives} exist")
    return scores, is_match
