"""Controls of the bias ledger: videos of which something is changed that is not what they show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.common.errors import Rejected
from scripts.common.video import encode_video, read_frames
from scripts.detect.tip_id import Video

AS_IS = "as_is"
"""The control that changes nothing, beside which the others stand."""

GREY = 128
CRF = 18
"""Rate factor where a control does not name one: that of generated videos, hardly visible."""


@dataclass(frozen=True)
class Control:
    """What becomes of each video of a test set, and perhaps of those that are learnt from.

    All that is set makes the video anew, as H.264 in MP4; nothing leaves its bytes as they are.

    Attributes:
        trained: whether the trained classifiers learn from such videos; else those that learnt from
            unchanged ones are asked.
        fps: frame rate; each frame is the one that a player would show then, and none comes twice.
        seconds: length, from the start.
        width: of a frame: the picture is reduced or enlarged until it covers the frame, and the
            middle is kept...
        height: ... and its height; both in pixels and even.
        scale: factor on both sides, instead.
        crf: rate factor of x264.
        mask: boxes that become grey, as left, top, right and bottom in shares of the sides.
        animator: entry of config/generators.yaml that makes the video of a prompt's image, at the
            rate and of the length of the generator's own: what shows a generator's images but is none of
            its videos. A source without image prompts has no such videos.
    """

    trained: bool = False
    fps: float | None = None
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    scale: float = 1.0
    crf: int | None = None
    mask: Sequence[Sequence[float]] = ()
    animator: str | None = None

    @property
    def changes(self) -> bool:
        """Whether videos are made anew."""
        return (self.fps, self.seconds, self.width, self.scale, self.crf, *self.mask) != (
            None, None, None, 1.0, None,
        )  # fmt: skip

    def apply(self, data: bytes, video: Video) -> bytes:
        """Return a video's bytes under this control.

        Args:
            data: its bytes.
            video: its properties.

        Raises:
            Rejected: it is too_short or too_slow for the control, or does not decode.
        """
        if not self.changes:
            return data
        indices = self._indices(video)
        frames = read_frames(data, indices, self._cover(video.width, video.height))
        fps = self.fps or video.fps
        return encode_video(map(self._finished, frames), fps, crf=self.crf or CRF)

    def _indices(self, video: Video) -> list[int]:
        if not video.fps:
            raise Rejected("undecodable", "the frame rate is not known")
        fps = self.fps or video.fps
        if fps > video.fps + 1e-6:
            raise Rejected("too_slow", f"{video.fps:g} frames per second")
        count = video.frames * fps / video.fps if self.seconds is None else self.seconds * fps
        indices = [int(number * video.fps / fps + 1e-6) for number in range(int(count + 1e-6))]
        if not indices or indices[-1] >= video.frames:
            raise Rejected("too_short", f"{video.frames} frames")
        return indices

    def _cover(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height), even, to which frames are brought before the middle is cut out."""
        factor = self.scale
        if self.width and self.height:
            factor = max(self.width / width, self.height / height)
        return tuple(max(2, 2 * int(side * factor / 2 + 0.5)) for side in (width, height))

    def _finished(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        if self.width and self.height:
            top, left = (height - self.height) // 2, (width - self.width) // 2
            frame = frame[top : top + self.height, left : left + self.width]
            height, width = frame.shape[:2]
        for left, top, right, bottom in self.mask:
            rows = slice(round(top * height), round(bottom * height))
            frame[rows, round(left * width) : round(right * width)] = GREY
        return np.ascontiguousarray(frame)
