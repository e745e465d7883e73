"""Motion smoothness: how well the frames between can be guessed (VBench, section 1.3's protocol)."""

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
        true = frames[first + 1]
        # The difference of uint8, without the wrap: cheaper than going through wider integers.
        differences.append((np.maximum(guess, true) - np.minimum(guess, true)).mean())
    return float((255 - np.mean(differences)) / 255)


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
