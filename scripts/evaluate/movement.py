"""VBench's dynamic degree: when a video counts as moving. Pure arithmetic, for any optical flow.

A video is scored 1 if it moves and 0 if not, so that the mean is the share of moving videos.
"""

from collections.abc import Sequence

import numpy as np

SAMPLED_FPS = 8
"""Frames per second that are compared."""


def frame_step(fps: float) -> int:
    """Return k, where every k-th frame is kept: max(1, round(fps / 8)), halves to even.

    The frame rate is the container's: the same frames at another rate may score otherwise.
    """
    return max(1, round(fps / SAMPLED_FPS))


def moving_threshold(height: int, width: int) -> float:
    """Return the displacement in pixels above which a pair of frames moves: 6 at 256 pixels."""
    return 6 * min(height, width) / 256


def needed_pairs(frames: int) -> int:
    """Return how many pairs must move: a quarter of the kept frames, halves rounded to even."""
    return round(4 * frames / 16)


def strongest_motion(flow: np.ndarray) -> float:
    """Return the mean displacement of the fastest twentieth of the pixels, in pixels.

    Args:
        flow: displacement of shape (2, height, width), in pixels.
    """
    magnitude = np.hypot(flow[0], flow[1]).ravel()
    count = max(1, int(magnitude.size * 0.05))
    return float(np.partition(magnitude, -count)[-count:].mean(dtype=np.float64))


def is_moving(motions: Sequence[float], threshold: float, needed: int) -> bool:
    """Return whether at least ``needed`` pairs of frames moved by more than ``threshold``.

    Args:
        motions: ``strongest_motion`` of each pair of neighbouring kept frames.
        threshold: from ``moving_threshold``, of the frames without padding.
        needed: from ``needed_pairs``.
    """
    return sum(motion > threshold for motion in motions) >= needed
