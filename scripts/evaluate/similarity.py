"""Scores from features of frames: pure arithmetic, the same whatever the features are.

Features are rows of length 1, so that a product is a cosine.
"""

import numpy as np


def consistency(features: np.ndarray) -> float:
    """Return how well the frames of a video keep what the first one shows, in [0, 1].

    VBench's recurrence for subject and background consistency: each frame but the first is worth
    the mean of its similarity to the frame before and to the first frame, negative similarities
    counting as 0; the video is worth the mean over these frames.

    Args:
        features: of shape (frames, dimension), at least two frames, rows of length 1.
    """
    features = features.astype(np.float64)
    to_previous = np.clip((features[1:] * features[:-1]).sum(axis=1), 0, None)
    to_first = np.clip(features[1:] @ features[0], 0, None)
    return float(((to_previous + to_first) / 2).mean())


def neighbour_similarity(features: np.ndarray) -> float:
    """Return the mean cosine of neighbouring frames, in [-1, 1] (AIGCBench, temporal consistency).

    Args:
        features: of shape (frames, dimension), at least two frames, rows of length 1.
    """
    features = features.astype(np.float64)
    return float((features[1:] * features[:-1]).sum(axis=1).mean())


def mean_similarity(features: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean cosine of the frames and one reference, in [-1, 1] (AIGCBench, alignment).

    Args:
        features: of shape (frames, dimension), rows of length 1.
        reference: features of the text or of the image prompt, of shape (dimension,), length 1.
    """
    return float((features.astype(np.float64) @ reference.astype(np.float64)).mean())
