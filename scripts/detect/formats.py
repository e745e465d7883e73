"""What a video's format gives away, measured without looking at what it shows."""

import struct
from itertools import islice

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import VideoReformatter

from scripts.common.errors import Rejected
from scripts.common.video import decoded_frames, opened_video

CONTAINER = ("fps", "width", "height", "frames", "bytes_per_second", "codec")
"""What the container says: all that the baseline of the bias ledger sees."""

SHORTCUTS = {
    "rate": ("fps",),
    "size": ("width", "height"),
    "length": ("frames",),
    "codec": ("codec",),
    "colour_range": ("full_range", "darkest", "brightest"),
    "corner_mark": ("corner_tl", "corner_tr", "corner_bl", "corner_br"),
    "black_bars": ("bar_rows", "bar_columns"),
    "first_frame_repeat": ("first_change",),
    "stillness": ("change",),
    "quantiser": ("quantiser",),
}
"""Ways in which formats tell classes apart -> what is measured of each video."""

DARK = 24
"""Levels of 255 up to which a pixel that is never brighter is black."""
CORNER = 5
"""A corner is so large a part of each side."""
REPEATED = 0.5
"""Share of the mean change from which on a first change is one: only less could be a repeat."""
SHOWN_FRAMES = 300
"""Frames that are looked at; a longer video is judged by its beginning."""


def describe_format(data: bytes) -> dict[str, float | str]:
    """Return what ``CONTAINER`` and ``SHORTCUTS`` name, of a video.

    Levels are those of the luma; a corner's mark is how much steeper the mean picture is there than
    everywhere (what stands still stays sharp in the mean, what moves is smoothed); changes are mean
    absolute differences of consecutive frames, the first one as a share of all, up to ``REPEATED``; the
    quantiser is the mean over frames of the one that the stream states, and nought where it states none.

    Raises:
        Rejected: the video does not decode.
    """
    with opened_video(data) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"export_side_data": "venc_params"}
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        seen = _Luma()
        for frame in islice(decoded_frames(container), SHOWN_FRAMES):
            seen.add(frame)
        context = stream.codec_context
        brands = (container.metadata.get(key) for key in ("major_brand", "encoder"))
        named = (context.name, context.codec_tag, context.profile, context.pix_fmt, *brands)
        frames = max(stream.frames, seen.frames)
    if not seen.frames:
        raise Rejected("no_frames")
    height, width = seen.sum.shape
    return {
        "fps": fps,
        "width": width,
        "height": height,
        "frames": frames,
        "bytes_per_second": len(data) * fps / frames,
        "codec": " ".join(map(str, named)),
        "full_range": int(context.color_range),
        **seen.facts(),
    }


class _Luma:
    """Sums over the frames of a video, one of which is in memory at a time."""

    def __init__(self) -> None:
        self.frames = 0
        self._changes: list[float] = []
        self._levels = np.zeros(256, np.int64)
        self._quantisers: list[int] = []
        self._converter = VideoReformatter()

    def add(self, frame: av.VideoFrame) -> None:
        luma = self._converter.reformat(frame, format="gray").to_ndarray().astype(np.int16)
        if not self.frames:
            self.sum, self._brightest = np.zeros(luma.shape), luma
        else:
            self._changes.append(float(np.abs(luma - self._last).mean()))
        self.sum += luma
        self._brightest, self._last = np.maximum(self._brightest, luma), luma
        self._levels += np.bincount(luma.ravel(), minlength=256)
        if (stated := frame.side_data.get(SideData.VIDEO_ENC_PARAMS)) is not None:
            # AVVideoEncParams: number of blocks, where they begin, their size, kind, quantiser.
            self._quantisers.append(struct.unpack_from("IQQii", bytes(stated))[-1])
        self.frames += 1

    def facts(self) -> dict[str, float]:
        """Return what the frames amount to."""
        shares = np.cumsum(self._levels) / self._levels.sum()
        change = float(np.mean(self._changes or [0.0]))
        dark = self._brightest <= DARK
        return {
            "darkest": int(np.searchsorted(shares, 0.005)),
            "brightest": int(np.searchsorted(shares, 0.995)),
            **self._corners(),
            "bar_rows": _bars(dark.all(axis=1)),
            "bar_columns": _bars(dark.all(axis=0)),
            "first_change": min(self._changes[0] / change, REPEATED) if change else REPEATED,
            "change": change,
            "quantiser": float(np.mean(self._quantisers or [0.0])),
        }

    def _corners(self) -> dict[str, float]:
        mean = self.sum / self.frames
        steep = np.abs(np.diff(mean, axis=0))[:, :-1] + np.abs(np.diff(mean, axis=1))[:-1]
        rows, columns = (max(1, side // CORNER) for side in steep.shape)
        whole = steep.mean() + 1e-6
        places = {
            "tl": steep[:rows, :columns],
            "tr": steep[:rows, -columns:],
            "bl": steep[-rows:, :columns],
            "br": steep[-rows:, -columns:],
        }
        return {f"corner_{name}": float(part.mean() / whole) for name, part in places.items()}


def _bars(is_dark: np.ndarray) -> int:
    """Return how many lines are dark at both ends together; none of a picture that is all dark."""
    if is_dark.all():
        return 0
    return int(np.argmin(is_dark) + np.argmin(is_dark[::-1]))
