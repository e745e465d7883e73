"""Decoding and encoding of videos with PyAV, one frame at a time, deterministic."""

import io
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import VideoReformatter

from scripts.common.errors import Rejected
from scripts.common.roles import Sound

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "asf",
    "ogg",
)
"""FFmpeg's names of the containers that are read; none of them names other files."""
LONGEST_S = 600.0
"""Longest time in which a video is opened, and longest that is spent on decoding it."""
_ALONE = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "none"}


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
        Rejected: missing_file, empty_file, undecodable, no_frames, too_long.
    """
    with opened_video(source) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context.name
        frames, width, height, megapixels = 0, 0, 0, 0.0
        for frame in decoded_frames(container):
            frames, (width, height) = frames + 1, _upright_size(frame)
            megapixels += width * height / 1e6
            if megapixels > max_megapixels:
                raise Rejected("too_long", f"{megapixels:,.0f} megapixels and more")
        fps = float(stream.average_rate or stream.guessed_rate or 0)
    if not frames:
        raise Rejected("no_frames")
    return VideoProperties(width, height, fps, frames, frames / fps if fps else 0.0, codec)


def read_header(source: bytes | Path) -> VideoProperties:
    """Return a video's properties as its container states them, which is a hundred times faster.

    They are no proof that a frame decodes. A video that states no number of frames is decoded.

    Raises:
        Rejected: missing_file, empty_file, undecodable, no_frames.
    """
    with opened_video(source) as container:
        stream = container.streams.video[0]
        frames, codec = stream.frames, stream.codec_context.name
        width, height = stream.codec_context.width, stream.codec_context.height
        fps = float(stream.average_rate or stream.guessed_rate or 0)
    if not (frames and width and height):
        return probe_video(source)
    return VideoProperties(width, height, fps, frames, frames / fps if fps else 0.0, codec)


def read_frames(
    source: bytes | Path,
    indices: Sequence[int] | None = None,
    size: tuple[int, int] | None = None,
    *,
    max_megapixels: float = math.inf,
) -> np.ndarray:
    """Decode a video once, in order, and return the wanted frames, upright.

    A video that was taken with the camera on its side says in its display matrix how it is to be
    turned; players, ffmpeg and OpenCV do so, and so does this.

    Args:
        source: the file's bytes or its path.
        indices: frame numbers, in any order, repeats allowed, negative ones counted from the end
            only if every frame is wanted anyway; all frames by default.
        size: (width, height) to resize each frame to while decoding (area averaging).
        max_megapixels: of one frame; a video that states more is not decoded.

    Returns:
        uint8 RGB of shape (frames, height, width, 3), in the order of ``indices``.

    Raises:
        Rejected: as ``probe_video``, or a wanted frame lies past the end (no_frames), or is
            too large (too_many_pixels).
    """
    wanted = None if indices is None else {int(index) for index in indices}
    found: dict[int, np.ndarray] = {}
    # One converter for all frames: setting one up costs more than converting a small frame.
    converter = VideoReformatter()
    with opened_video(source) as container:
        stated = container.streams.video[0].codec_context
        _refuse_large(stated.width, stated.height, max_megapixels)
        for number, frame in enumerate(decoded_frames(container)):
            if wanted is not None and number not in wanted:
                continue
            _refuse_large(frame.width, frame.height, max_megapixels)
            turn = _turn(frame)
            target = {}
            if size is not None:
                width, height = size[::-1] if turn.is_on_its_side else size
                target = {"width": width, "height": height, "interpolation": "AREA"}
            picture = converter.reformat(frame, format="rgb24", **target).to_ndarray()
            found[number] = _upright(picture, turn)
            if wanted is not None and len(found) == len(wanted):
                break
    if not found:
        raise Rejected("no_frames")
    order = sorted(found) if indices is None else [int(index) for index in indices]
    if any(index not in found for index in order):
        raise Rejected("no_frames", f"frame {max(order)} is past the end")
    if len(order) == 1:  # not copied: it may be large
        return found[order[0]][None]
    return np.stack([found[index] for index in order])


def uniform_indices(frames: int, count: int) -> list[int]:
    """Return ``count`` frame numbers spread evenly over ``frames``, first and last included.

    floor(linspace(0, frames - 1, count)), the uniform temporal subsampling of VideoMAE's recipe, in
    whole numbers (rounding differs between machines); frames repeat where there are too few.
    """
    return [number * (frames - 1) // max(1, count - 1) for number in range(count)]


BITEXACT = 1 << 23
"""AV_CODEC_FLAG_BITEXACT: no version of the encoder inside."""


def encode_video(
    frames: Iterable[np.ndarray],
    fps: float,
    *,
    crf: int = 23,
    preset: str = "veryfast",
    sound: Sound | None = None,
) -> bytes:
    """Encode frames as H.264 in MP4; one thread and no date, so equal frames give equal bytes.

    Args:
        frames: uint8 RGB of shape (height, width, 3) each, sides even; one is held at a time.
        fps: frames per second.
        crf: constant rate factor of x264 (0 lossless ... 51 worst).
        preset: x264's preset.
        sound: goes in as AAC.
    """
    target, frames = io.BytesIO(), iter(frames)
    first = next(frames)
    # mbtree=0: x264's AVX-512 code for it reads beyond a row of macroblocks, so that frames whose
    # width is no multiple of 256 came out with other bytes each time.
    options = {"crf": str(crf), "preset": preset, "threads": "1"}
    options["x264-params"] = "threads=1:mbtree=0"
    with av.open(target, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        height, width = first.shape[:2]
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = options
        stream.codec_context.flags |= BITEXACT
        if sound:
            layout = "mono" if len(sound.samples) == 1 else "stereo"
            track = container.add_stream("aac", rate=sound.rate, layout=layout)
            track.codec_context.flags |= BITEXACT
        for frame in chain([first], frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if sound:
            samples = np.ascontiguousarray(sound.samples, np.float32)
            block = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
            block.sample_rate = sound.rate
            container.mux(track.encode(block))
            container.mux(track.encode(None))
    return target.getvalue()


def piece_frames(fps: float, seconds: float) -> int:
    """Return how many frames make a piece of so many seconds.

    Raises:
        Rejected: undecodable, if the rate is no video's.
    """
    if not 1 <= fps <= 1000:
        raise Rejected("undecodable", f"{fps} frames per second")
    return round(fps * seconds)


def cut_video(
    source: bytes | Path, seconds: float, *, max_megapixels: float = math.inf
) -> Iterator[tuple[bytes, VideoProperties]]:
    """Cut a video into pieces of equal length, in one decoding; what is left at the end goes.

    Pieces have the video's rate and its size upright, less the last row or column of an odd one,
    which H.264 in its usual form cannot hold. One frame is in memory at a time.

    Args:
        source: the file's bytes or its path.
        seconds: of a piece.
        max_megapixels: of one frame.

    Yields:
        A piece as MP4 (``encode_video``), and its properties.

    Raises:
        Rejected: as ``read_frames``.
    """
    converter, done = VideoReformatter(), 0
    with opened_video(source) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        stated, length = stream.codec_context, piece_frames(rate, seconds)
        _refuse_large(stated.width, stated.height, max_megapixels)
        size = {"width": stated.width, "height": stated.height}

        def pictures() -> Iterator[np.ndarray]:
            nonlocal done
            for frame in decoded_frames(container):
                picture = converter.reformat(frame, format="rgb24", **size).to_ndarray()
                picture = _upright(picture, _turn(frame))
                done += 1
                yield picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]

        frames = pictures()
        for first in frames:
            wanted = done - 1 + length
            data = encode_video(chain([first], islice(frames, length - 1)), rate)
            if done < wanted:
                return
            height, width = first.shape[:2]
            yield data, VideoProperties(width, height, rate, length, length / rate, "h264")


@contextmanager
def opened_video(source: bytes | Path) -> Iterator[av.container.InputContainer]:
    """Open a video, from which nothing else can be reached.

    FFmpeg guesses what a file is, and many things that it knows name others: lists of files,
    descriptions of streams for which it opens sockets. Only containers that hold all there is are
    known here, and nothing is opened but the bytes given.
    """
    if isinstance(source, bytes):
        if not source:
            raise Rejected("empty_file")
        handle = io.BytesIO(source)
    else:
        if not Path(source).is_file():
            raise Rejected("missing_file", str(source))
        if not Path(source).stat().st_size:
            raise Rejected("empty_file", str(source))
        handle = open(source, "rb")  # noqa: SIM115
    with handle:
        try:
            container = av.open(
                handle, "r", container_options=_ALONE, io_open=_refuse, timeout=LONGEST_S
            )
        except (av.FFmpegError, ValueError) as error:
            raise Rejected("undecodable", str(error)) from None
        with container:
            if not container.streams.video:
                raise Rejected("undecodable", "no video stream")
            yield container


def _refuse(address: str, flags: int, options: dict) -> BinaryIO:
    raise PermissionError(f"a video names another file, {address}")


@dataclass(frozen=True)
class _Turn:
    """How a picture is to be turned: first its sides exchanged, then mirrored."""

    is_on_its_side: bool = False
    mirror_x: bool = False
    mirror_y: bool = False


def _turn(frame: av.VideoFrame) -> _Turn:
    """Return what a frame's display matrix says; turns by other than right angles are passed over.

    The matrix (ISO 14496-12, 8.3.2) takes a point (x, y) to (a x + c y, b x + d y).
    """
    data = frame.side_data.get(SideData.DISPLAYMATRIX)
    if data is None:
        return _Turn()
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).tolist()
    if a and d and not (b or c):
        return _Turn(False, a < 0, d < 0)
    if b and c and not (a or d):
        return _Turn(True, c < 0, b < 0)
    return _Turn()


def _upright(picture: np.ndarray, turn: _Turn) -> np.ndarray:
    if turn.is_on_its_side:
        picture = picture.swapaxes(0, 1)
    picture = picture[:: -1 if turn.mirror_y else 1, :: -1 if turn.mirror_x else 1]
    return np.ascontiguousarray(picture)


def _upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    size = frame.width, frame.height
    return size[::-1] if _turn(frame).is_on_its_side else size


def _refuse_large(width: int, height: int, max_megapixels: float) -> None:
    if width * height > max_megapixels * 1e6:
        raise Rejected("too_many_pixels", f"{width} x {height}")


def decoded_frames(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """Yield the frames of an opened video as they were coded, neither turned nor converted.

    Raises:
        Rejected: undecodable, or decoding takes longer than ``LONGEST_S``.
    """
    # One decoding thread: several change nothing for 3-second clips and oversubscribe the cores.
    container.streams.video[0].thread_count = 1
    frames, spent_s = container.decode(video=0), 0.0
    while True:
        # The time of this thread alone: neither other jobs nor who takes the frames count.
        started = time.thread_time()
        try:
            frame = next(frames, None)
        except (av.FFmpegError, ValueError) as error:
            raise Rejected("undecodable", str(error)) from None
        spent_s += time.thread_time() - started
        if frame is None:
            return
        if spent_s > LONGEST_S:
            raise Rejected("undecodable", f"it took more than {LONGEST_S:.0f} s")
        yield frame
