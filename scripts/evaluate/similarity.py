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


DISTANCES = (2, 5, 10, 20, 50)
"""Frames apart at which coherence is looked at (proposed for VBench, issue 206)."""


def faithfulness(features: np.ndarray, image: np.ndarray) -> float:
    """Return how well a video keeps its image prompt, in [0, 1] (VBench-I2V, ``i2v_subject``).

    0.4 of the best similarity of a frame to the image, 0.3 of the mean and 0.3 of the least
    similarity of neighbouring frames; negative ones count as 0.

    Args:
        features: of shape (frames, dimension), at least two frames, rows of length 1.
        image: features of the image prompt, of shape (dimension,), length 1.
    """
    features = features.astype(np.float64)
    to_image = np.clip(features @ image.astype(np.float64), 0, None)
    to_previous = np.clip((features[1:] * features[:-1]).sum(axis=1), 0, None)
    return float(0.4 * to_image.max() + 0.3 * to_previous.mean() + 0.3 * to_previous.min())


def coherence(features: np.ndarray) -> float:
    """Return the mean, over the distances that a video has, of the cosine of frames so far apart.

    Measures between neighbours see no drift that adds up; this one falls with it.

    Args:
        features: of shape (frames, dimension), at least three frames, rows of length 1.
    """
    features = features.astype(np.float64)
    there = [apart for apart in DISTANCES if apart < len(features)]
    curve = [(features[apart:] * features[:-apart]).sum(axis=1).mean() for apart in there]
    return float(np.mean(curve))
