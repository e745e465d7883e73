"""Dimensions on a classical optical flow in place of RAFT's: offline, on one core."""

from collections.abc import Mapping

import numpy as np
from PIL import Image
from skimage.registration import optical_flow_ilk

from scripts.evaluate.flow_dimensions import CameraMotionRule, DynamicDegreeRule, FlowDimension


class _LucasKanade(FlowDimension):
    """The iterative Lucas-Kanade flow (Le Besnerais and Champagnat, 2005) on small grey frames.

    Thresholds are shares of the shorter side, so that they hold at any size.
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
            weights: none.
            device: the processor, whatever is asked for.
            short_side: shorter side to which frames are reduced, in pixels.
            warps: times that the second frame is warped at each level of the pyramid.
            radius: of the window of the least-squares fit, in pixels.
        """
        self._short_side = short_side
        self._settings = {"num_warp": warps, "radius": radius}
        self.what = ("Lucas-Kanade", short_side, warps, radius)

    def prepared(self, frame: np.ndarray) -> np.ndarray:
        """Return a grey frame in [0, 1], float32, its shorter side at most ``short_side``."""
        height, width = frame.shape[:2]
        scale = min(1.0, self._short_side / min(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = Image.fromarray(frame).convert("L").resize(size, Image.Resampling.BOX)
        return np.asarray(picture, dtype=np.float32) / 255

    def flow(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the displacement, x and y, in pixels of the small frames."""
        return np.stack(optical_flow_ilk(before, after, **self._settings)[::-1])


class DynamicDegreeEmbedded(_LucasKanade, DynamicDegreeRule):
    """VBench's dynamic degree on the flow of Lucas and Kanade."""


class CameraMotionEmbedded(CameraMotionRule, _LucasKanade):
    """What the camera did, on the flow of Lucas and Kanade."""
