"""How frames differ: from those guessed between their neighbours, and from the neighbours (VBench)."""

import itertools
from collections.abc import Callable, Mapping

import numpy as np

from scripts.common.roles import EvaluationItem
from scripts.evaluate.unscorable import require_frames


def smoothness(
    frames: np.ndarray, interpolate: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> float:
    """Return the motion smoothness of a video, in [0, 1]; one that stands still has about 1.

    The even frames are kept; between each two of them one is interpolated and compared with the
    true odd frame. The score is 1 minus the mean absolute difference, as a share of 255. A last
    odd frame that no even one follows is not used.

    Args:
        frames: uint8 RGB of shape (frames, height, width, 3), at least three frames.
        interpolate: makes the frame in the middle of two, uint8 in and out.

    Raises:
        Rejected: too_few_frames.
    """
    require_frames(len(frames), 3)
    differences = []
    for first in range(0, len(frames) - 2, 2):
        guess = interpolate(frames[first], frames[first + 2])
        differences.append(difference(guess, frames[first + 1]))
    return float((255 - np.mean(differences)) / 255)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean absolute difference of two frames (uint8)."""
    # Of uint8, without the wrap: cheaper than going through wider integers.
    return float((np.maximum(one, other) - np.minimum(one, other)).mean())


def mean_frame(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the mean of two frames (uint8), truncated as the protocol truncates a network's."""
    return ((before.astype(np.uint16) + after) // 2).astype(np.uint8)


class MotionSmoothnessEmbedded:
    """VBench's protocol with the mean of two frames in place of the network AMT-S.

    The mean knows no motion, so fast motion is punished more than by AMT.
    """

    def __init__(self, weights: Mapping[str, str] | None = None, device: str = "cpu"):
        """Take the arguments of every backend; nothing is loaded."""

    def score(self, item: EvaluationItem) -> float:
        """Return the smoothness of all frames; errors as ``smoothness``."""
        return smoothness(item.frames, mean_frame)


class TemporalFlickering:
    """VBench's temporal flickering: 1 less the mean difference of neighbouring frames.

    VBench measures it on videos of still scenes alone; on others motion counts as flickering.
    """

    def __init__(self, weights: Mapping[str, str] | None = None, device: str = "cpu"):
        """Take the arguments of every backend; nothing is loaded."""

    def score(self, item: EvaluationItem) -> float:
        """Return the share of 255 by which neighbouring frames do not differ, in [0, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 2)
        differences = [difference(*pair) for pair in itertools.pairwise(item.frames)]
        return float((255 - np.mean(differences)) / 255)
