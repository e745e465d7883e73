"""Dynamic degree with a classical optical flow in place of RAFT: offline, on one core."""

import itertools
from collections.abc import Mapping

import numpy as np
from PIL import Image
from skimage.registration import optical_flow_ilk

from scripts.common.roles import EvaluationItem
from scripts.evaluate import movement
from scripts.evaluate.unscorable import require_frames


class DynamicDegreeEmbedded:
    """VBench's rule with the iterative Lucas-Kanade flow (Le Besnerais and Champagnat, 2005).

    The flow is worked out on small grey frames; the threshold is a share of the shorter side, so
    that it holds at any size.
    """

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        short_side: int = 48,
        warps: int = 2,
        radius: int = 4,
    ):
        """Take the settings.

        Args:
            weights: none; the flow is a procedure.
            device: the CPU, always.
            short_side: shorter side to which frames are reduced, in pixels.
            warps: times that the second frame is warped at each level of the pyramid.
            radius: of the window of the least-squares fit, in pixels.
        """
        self._short_side = short_side
        self._flow = {"num_warp": warps, "radius": radius}

    def score(self, item: EvaluationItem) -> float:
        """Return 1 if the video moves, else 0.

        Raises:
            Rejected: too_few_frames.
        """
        kept = item.frames[:: movement.frame_step(item.fps)]
        require_frames(len(kept), 2)
        grey = [_small_grey(frame, self._short_side) for frame in kept]
        motions = [
            movement.strongest_motion(np.asarray(optical_flow_ilk(before, after, **self._flow)))
            for before, after in itertools.pairwise(grey)
        ]
        threshold = movement.moving_threshold(*grey[0].shape)
        return float(movement.is_moving(motions, threshold, movement.needed_pairs(len(kept))))


def _small_grey(frame: np.ndarray, short_side: int) -> np.ndarray:
    """Return a grey frame in [0, 1], float32, its shorter side at most ``short_side``."""
    height, width = frame.shape[:2]
    scale = min(1.0, short_side / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(frame).convert("L").resize(size, Image.Resampling.BOX)
    return np.asarray(picture, dtype=np.float32) / 255
