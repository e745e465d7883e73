"""Decoding and encoding of videos with PyAV, one frame at a time, deterministic."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter


class UnreadableVideo(Exception):
    """A video that cannot be used; ``reason`` is one of the closed list of the item index."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclass(frozen=True)
class VideoProperties:
    """What the index says of a video that was decoded from the first to the last frame."""

    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    codec: str


def probe_video(source: bytes | Path, *, max_megapixels: float = math.inf) -> VideoProperties:
    """Decode every frame of a video, keep none, and return its properties.

    Args:
        source: the file's bytes or its path.
        max_megapixels: in all frames together, so that a small file cannot hold a decoder up.

    Raises:
        UnreadableVideo: missing_file, empty_file, undecodable, no_frames, too_long.
    """
    with _open(source) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context.name
        frames, width, height, megapixels = 0, 0, 0, 0.0
        for frame in _decode(container):
            frames, width, height = frames + 1, frame.width, frame.height
            megapixels += width * height / 1e6
            if megapixels > max_megapixels:
                raise UnreadableVideo("too_long", f"{megapixels:,.0f} megapixels and more")
        fps = float(stream.average_rate or stream.guessed_rate or 0)
    if not frames:
        raise UnreadableVideo("no_frames")
    return VideoProperties(width, height, fps, frames, frames / fps if fps else 0.0, codec)


def read_header(source: bytes | Path) -> VideoProperties:
    """Return a video's properties as its container states them, which is a hundred times faster.

    They are no proof that a frame decodes. A video that states no number of frames is decoded.

    Raises:
        UnreadableVideo: missing_file, empty_file, undecodable, no_frames.
    """
    with _open(source) as container:
        stream = container.streams.video[0]
        frames, codec = stream.frames, stream.codec_context.name
        width, height = stream.codec_context.width, stream.codec_context.height
        fps = float(stream.average_rate or stream.guessed_rate or 0)
    if not (frames and width and height):
        return probe_video(source)
    return VideoProperties(width, height, fps, frames, frames / fps if fps else 0.0, codec)


def iterate_frames(source: bytes | Path) -> Iterator[np.ndarray]:
    """Yield every frame in order as uint8 RGB of shape (height, width, 3).

    Raises:
        UnreadableVideo: as ``probe_video``, when the fault is met.
    """
    with _open(source) as container:
        converter = VideoReformatter()
        for frame in _decode(container):
            yield converter.reformat(frame, format="rgb24").to_ndarray()


def read_frames(
    source: bytes | Path,
    indices: Sequence[int] | None = None,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Decode a video once, in order, and return the wanted frames.

    Args:
        source: the file's bytes or its path.
        indices: frame numbers, in any order, repeats allowed, negative ones counted from the end
            only if every frame is wanted anyway; all frames by default.
        size: (width, height) to resize each frame to while decoding (area averaging).

    Returns:
        uint8 RGB of shape (frames, height, width, 3), in the order of ``indices``.

    Raises:
        UnreadableVideo: as ``probe_video``, or a wanted frame lies past the end (no_frames).
    """
    wanted = None if indices is None else {int(index) for index in indices}
    found: dict[int, np.ndarray] = {}
    # One converter for all frames: setting one up costs more than converting a small frame.
    converter = VideoReformatter()
    target = {} if size is None else {"width": size[0], "height": size[1], "interpolation": "AREA"}
    with _open(source) as container:
        for number, frame in enumerate(_decode(container)):
            if wanted is not None and number not in wanted:
                continue
            found[number] = converter.reformat(frame, format="rgb24", **target).to_ndarray()
            if wanted is not None and len(found) == len(wanted):
                break
    if not found:
        raise UnreadableVideo("no_frames")
    order = sorted(found) if indices is None else [int(index) for index in indices]
    if any(index not in found for index in order):
        raise UnreadableVideo("no_frames", f"frame {max(order)} is past the end")
    return np.stack([found[index] for index in order])


def uniform_indices(frames: int, count: int) -> list[int]:
    """Return ``count`` frame numbers spread evenly over ``frames``, first and last included.

    floor(linspace(0, frames - 1, count)), the uniform temporal subsampling of VideoMAE's recipe, in
    whole numbers (rounding differs between machines); frames repeat where there are too few.
    """
    return [number * (frames - 1) // max(1, count - 1) for number in range(count)]


def encode_video(
    frames: np.ndarray | Sequence[np.ndarray],
    fps: float,
    *,
    crf: int = 23,
    preset: str = "veryfast",
) -> bytes:
    """Encode frames as H.264 in MP4; one thread and no date, so equal frames give equal bytes.

    Args:
        frames: uint8 RGB of shape (frames, height, width, 3), sides even.
        fps: frames per second.
        crf: constant rate factor of x264 (0 lossless ... 51 worst).
        preset: x264's preset.
    """
    target = io.BytesIO()
    # mbtree=0: x264's AVX-512 code for it reads beyond a row of macroblocks, so that frames whose
    # width is no multiple of 256 came out with other bytes each time.
    options = {"crf": str(crf), "preset": preset, "threads": "1"}
    options["x264-params"] = "threads=1:mbtree=0"
    with av.open(target, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        height, width = frames[0].shape[:2]
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = options
        stream.codec_context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT: no encoder version inside
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return target.getvalue()


def _open(source: bytes | Path) -> av.container.InputContainer:
    if isinstance(source, bytes):
        if not source:
            raise UnreadableVideo("empty_file")
        handle = io.BytesIO(source)
    else:
        if not Path(source).is_file():
            raise UnreadableVideo("missing_file", str(source))
        if not Path(source).stat().st_size:
            raise UnreadableVideo("empty_file", str(source))
        handle = str(source)
    try:
        container = av.open(handle, "r")
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableVideo("undecodable", str(error)) from None
    if not container.streams.video:
        container.close()
        raise UnreadableVideo("undecodable", "no video stream")
    return container


def _decode(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    # One decoding thread: several change nothing for 3-second clips and oversubscribe the cores.
    container.streams.video[0].thread_count = 1
    try:
        yield from container.decode(video=0)
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableVideo("undecodable", str(error)) from None
