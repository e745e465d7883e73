"""Accuracy and average precision on balanced test sets (Section 5.3, Supplement 13)."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score

from scripts.common.schemas.detect import ACCURACY, MAP

Measures = dict[str, float | None]
"""Metric -> value; None without items."""

NOTHING: Measures = {ACCURACY: None, MAP: None}


def binary_measures(real: Sequence[float], fake: Sequence[float]) -> Measures:
    """Measure scores of equally many real and generated items, as the detectors' authors do.

    Accuracy counts ``(score > 0.5) == generated``; what Table 3 calls mAP is the average precision
    of one generator with generated items as positives. Both are 0.5 for blind guessing only if the
    two classes are of one size.

    Args:
        real: scores in [0, 1] of real items.
        fake: scores in [0, 1] of generated items, as many.

    Raises:
        ValueError: the classes differ in size.
    """
    if len(real) != len(fake):
        raise ValueError(f"{len(real)} real and {len(fake)} generated items are not balanced")
    if not len(real):
        return NOTHING
    truth = np.repeat([False, True], len(real))
    scores = np.concatenate([real, fake])
    accuracy = np.mean((scores > 0.5) == truth)
    return {ACCURACY: float(accuracy), MAP: float(average_precision_score(truth, scores))}


def class_measures(probabilities: np.ndarray, truth: np.ndarray) -> Measures:
    """Measure a classifier's outputs: Table 4.

    Accuracy is that of the largest output; mAP is the mean of each class's average precision,
    the class against the others, on its softmax output.

    Args:
        probabilities: of shape (items, classes), rows that sum to 1.
        truth: class numbers of shape (items,); every class occurs equally often.

    Raises:
        ValueError: the classes are not of one size.
    """
    if not len(truth):
        return NOTHING
    classes = probabilities.shape[1]
    sizes = np.bincount(truth, minlength=classes)
    if sizes.min() != sizes.max():
        raise ValueError(f"classes of {sizes.tolist()} items are not balanced")
    precision = average_precision_score(np.eye(classes)[truth], probabilities, average="macro")
    accuracy = np.mean(probabilities.argmax(axis=1) == truth)
    return {ACCURACY: float(accuracy), MAP: float(precision)}
