"""Accuracy and average precision on balanced test sets (Section 5.3, Supplement 13)."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from sklearn.metrics import average_precision_score

from scripts.common.schemas.detect import (
    ACCURACY,
    ACCURACY_HIGH,
    ACCURACY_LOW,
    CAUGHT,
    CLASSES,
    MAP,
)

Measures = dict[str, float | None]
"""Metric -> value; None without items."""

OF_TWO = (ACCURACY, ACCURACY_LOW, ACCURACY_HIGH, MAP, CAUGHT)
CONFUSION = tuple(f"{truth}_as_{answer}" for truth, answer in product(CLASSES, CLASSES))
OF_CLASSES = (ACCURACY, ACCURACY_LOW, ACCURACY_HIGH, MAP, *CONFUSION)

SHARE_OF_FALSE_ALARMS = 0.01
RESAMPLES = 10_000


def threshold_of(real: np.ndarray, false_alarms: float) -> float:
    """Return the lowest score above which there is at most this share of real items (items,)."""
    return float(np.sort(real)[::-1][int(false_alarms * len(real))])


def binary_measures(real: Sequence[float], fake: Sequence[float], seed: int = 0) -> Measures:
    """Measure scores of equally many real and generated items, as the detectors' authors do.

    Accuracy counts ``(score > 0.5) == generated``; what Table 3 calls mAP is the average precision
    of one generator with generated items as positives. Both are 0.5 for blind guessing only if the
    two classes are of one size. What is caught is the share of generated items above the score that
    at most 1 % of the real ones reach.

    Args:
        real: scores in [0, 1] of real items.
        fake: scores in [0, 1] of generated items, as many.
        seed: of the interval's draws, as in ``class_measures``.

    Raises:
        ValueError: the classes differ in size.
    """
    if len(real) != len(fake):
        raise ValueError(f"{len(real)} real and {len(fake)} generated items are not balanced")
    if not len(real):
        return dict.fromkeys(OF_TWO)
    truth = np.repeat([False, True], len(real))
    scores = np.concatenate([real, fake])
    lowest = threshold_of(np.asarray(real), SHARE_OF_FALSE_ALARMS)
    right = [np.mean(np.asarray(real) <= 0.5), np.mean(np.asarray(fake) > 0.5)]
    caught = np.mean(np.asarray(fake) > lowest)
    bounds = _interval(right, len(real), seed)
    values = (np.mean(right), *bounds, average_precision_score(truth, scores), caught)
    return dict(zip(OF_TWO, map(float, values), strict=True))


def class_measures(probabilities: np.ndarray, truth: np.ndarray, seed: int = 0) -> Measures:
    """Measure a classifier's outputs: Table 4, and the confusion of the classes.

    Accuracy is that of the largest output; mAP is the mean of each class's average precision,
    the class against the others, on its softmax output. The accuracy's interval is that of the
    percentiles when the items of each class are drawn anew with replacement, of which the right
    ones are binomial. ``truth_as_answer`` is the share of a class that is taken for another, or
    rightly for itself.

    Args:
        probabilities: of shape (items, classes), rows that sum to 1.
        truth: class numbers of shape (items,); every class occurs equally often.
        seed: of the draws.

    Raises:
        ValueError: the classes are not of one size.
    """
    if not len(truth):
        return dict.fromkeys(OF_CLASSES)
    sizes = np.bincount(truth, minlength=len(CLASSES))
    if sizes.min() != sizes.max():
        raise ValueError(f"classes of {sizes.tolist()} items are not balanced")
    precision = average_precision_score(np.eye(len(sizes))[truth], probabilities, average="macro")
    answers = np.eye(len(sizes))[probabilities.argmax(axis=1)]
    confusion = np.stack([answers[truth == kind].mean(axis=0) for kind in range(len(sizes))])
    right = np.diag(confusion)
    values = (right.mean(), *_interval(right, sizes[0], seed), precision, *confusion.flat)
    return dict(zip(OF_CLASSES, map(float, values), strict=True))


def _interval(right: Sequence[float], size: int, seed: int) -> np.ndarray:
    """Return the bounds of an accuracy: percentiles when items of each class are drawn anew.

    Args:
        right: share of each class that is known rightly.
        size: of each class.
        seed: of the draws.
    """
    drawn = np.random.default_rng(seed).binomial(size, right, (RESAMPLES, len(right)))
    return np.quantile(drawn.sum(axis=1) / (size * len(right)), [0.025, 0.975])
