"""First frames, lossless and upright, of videos of every kind; what has none says why."""

import io
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from scripts.common.errors import Rejected
from scripts.common.pictures import decode_picture
from scripts.common.shards import Shard, ShardItem, write_shard
from scripts.common.video import (
    VideoProperties,
    encode_video,
    probe_video,
    read_frames,
)
from scripts.curate.extract_images import extract_images

STATED = VideoProperties(64, 32, 24.0, 6, 0.25, "h264")
"""What the index of the videos says does not matter here."""


def extract(folder, videos, max_megapixels=34.0):
    """Return the counts and the shard of first frames of name -> bytes (None: no video)."""
    items = [
        ShardItem(name, data, STATED, reason=None if data else "missing_file")
        for name, data in sorted(videos.items())
    ]
    paths = [
        folder / f"{name}.{end}" for name in ("videos", "images") for end in ("tar", "parquet")
    ]
    write_shard(*paths[:2], items, "mp4")
    counts = extract_images(*paths, max_megapixels=max_megapixels, ledger_root=folder / "ledger")
    return counts, Shard(*paths[2:])


def outcome(folder, data, **settings):
    """Return the first frame of one video, or the reason why there is none."""
    _, shard = extract(folder, {"v": data}, **settings)
    return decode_picture(shard.read("v")) if "v" in shard else shard.rows["v"]["reason"]


def moving(frames=6, width=64, height=32):
    """Return frames that all differ, each with another colour in each corner."""
    picture = np.zeros((frames, height, width, 3), np.uint8)
    picture[:, : height // 2, : width // 2] = [220, 30, 30]
    picture[:, height // 2 :, : width // 2] = [30, 220, 30]
    picture[:, height // 2 :, width // 2 :] = [30, 30, 220]
    return picture + np.arange(0, 5 * frames, 5, dtype=np.uint8)[:, None, None, None]


def mux(codec, form, frames, times, pixels="yuv420p"):
    """Return a video with a frame at each of ``times``, in units of 1/1000 s."""
    target = io.BytesIO()
    with av.open(target, "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames.shape[1:3] if len(frames) else (32, 64)
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        container.start_encoding()
        for frame, time in zip(frames, times, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return target.getvalue()


def with_matrix(data, a, b, c, d):
    """Return an MP4 whose track header says to take (x, y) to (a x + c y, b x + d y)."""
    place = data.index(b"tkhd") + 44
    fixed = [value << 16 for value in (a, b, 0, c, d, 0, 0, 0)]
    matrix = struct.pack(">9i", *fixed, 1 << 30)
    return data[:place] + matrix + data[place + 36 :]


def test_image_prompts_are_the_exact_first_frames(tmp_path):
    video = encode_video(moving(), 24)
    counts, shard = extract(tmp_path, {"good": video, "missing": None})
    assert counts.sentence() == "read 2 = kept 1 + rejected 1 (no_video 1)"
    assert np.array_equal(decode_picture(shard.read("good")), read_frames(video)[0])
    row = shard.rows["good"]
    assert (row["width"], row["height"], row["frames"], row["codec"]) == (64, 32, 1, "png")
    assert shard.read("good").startswith(b"\x89PNG")


def test_equal_videos_give_equal_bytes(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        extract(tmp_path / name, {"v": encode_video(moving(), 24), "w": None})
    for file in ("images.tar", "images.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_video_of_one_frame_has_a_first_frame(tmp_path):
    video = encode_video(moving(1), 24)
    assert np.array_equal(outcome(tmp_path, video), read_frames(video)[0])


@pytest.mark.parametrize("form", ["mp4", "matroska", "nut"])
def test_a_video_without_a_frame_has_none(tmp_path, form):
    video = mux("libx264", form, np.empty((0, 32, 64, 3), np.uint8), [])
    assert outcome(tmp_path, video) in ("no_frames", "undecodable")


def test_frames_that_hang_on_one_that_is_missing_are_no_frames(tmp_path):
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(encode_video(moving(), 24))) as source,
        av.open(target, "w", format="mp4") as container,
    ):
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if not packet.is_keyframe and packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    assert outcome(tmp_path, target.getvalue()) == "no_frames"


@pytest.mark.parametrize("form", ["mp4", "matroska"])
def test_the_first_frame_shown_is_taken_whatever_the_rate(tmp_path, form):
    times = [0, 7, 500, 510, 900, 3000]  # with B-frames, so that the coded order is another
    video = mux("libx264", form, moving(), times)
    found = outcome(tmp_path, video)
    assert np.array_equal(found, read_frames(video)[0])
    assert np.abs(found.astype(int) - moving()[0]).mean() < 3
    assert probe_video(video).frames == 6


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),  # a phone held upright
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, -1, 1, 0), lambda p: np.rot90(p)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda p: np.rot90(p, 2).swapaxes(0, 1)),
    ],
)
def test_a_turned_video_gives_an_upright_picture(tmp_path, matrix, upright):
    plain = encode_video(moving(), 24)
    turned = with_matrix(plain, *matrix)
    expected = upright(read_frames(plain)[0])
    found = outcome(tmp_path, turned)
    assert np.array_equal(found, expected)
    # All readers see the same, and the index says the sizes that they see.
    assert np.array_equal(read_frames(turned)[0], expected)
    height, width = expected.shape[:2]
    properties = probe_video(turned)
    assert (properties.width, properties.height) == (width, height)
    small = read_frames(turned, [0], size=(width // 4, height // 4))[0]
    means = expected.reshape(height // 4, 4, width // 4, 4, 3).mean(axis=(1, 3))
    assert small.shape == means.shape and np.abs(small - means).mean() < 2


def test_a_slant_is_no_reason_to_turn(tmp_path):
    plain = encode_video(moving(), 24)
    assert np.array_equal(outcome(tmp_path, with_matrix(plain, 1, 1, -1, 1)), read_frames(plain)[0])


def test_a_frame_with_too_many_pixels_is_not_decoded(tmp_path, monkeypatch):
    large = mux("mjpeg", "matroska", np.full((1, 4352, 8192, 3), 90, np.uint8), [0], "yuvj420p")
    monkeypatch.setattr("scripts.common.video.decoded_frames", None)
    assert outcome(tmp_path, large) == "too_many_pixels"


def test_the_bound_is_the_configurations(tmp_path):
    video = encode_video(moving(2, width=640, height=360), 24)  # 0.2304 megapixels
    assert outcome(tmp_path, video, max_megapixels=0.23) == "too_many_pixels"
    assert outcome(tmp_path, video, max_megapixels=0.24).shape == (360, 640, 3)


def test_frames_that_are_larger_than_the_file_says_are_refused():
    small, large = encode_video(moving(), 24), encode_video(moving(2, width=640, height=360), 24)
    with pytest.raises(Rejected, match="too_many_pixels"):
        read_frames(spliced(small, large), [6], max_megapixels=0.2)


def spliced(*videos):
    """Return a stream in which frames of another size follow."""
    pieces = []
    for video in videos:
        with av.open(io.BytesIO(video)) as source:
            stream = source.streams.video[0]
            convert = av.BitStreamFilterContext("h264_mp4toannexb", stream)
            for packet in source.demux(stream):
                pieces += [bytes(out) for out in convert.filter(packet)]
    target = io.BytesIO()
    with av.open(io.BytesIO(b"".join(pieces)), format="h264") as raw, \
            av.open(target, "w", format="mpegts") as output:  # fmt: skip
        stream = output.add_stream_from_template(raw.streams.video[0])
        for number, packet in enumerate(raw.demux()):
            if packet.size:
                packet.stream, packet.time_base = stream, Fraction(1, 24)
                packet.pts = packet.dts = number
                output.mux(packet)
    return target.getvalue()


def test_a_video_that_is_cut_off_gives_what_can_be_read(tmp_path):
    video = mux("libx264", "matroska", moving(), range(0, 600, 100))
    assert np.array_equal(outcome(tmp_path, video[:-40]), read_frames(video)[0])
    assert outcome(tmp_path, b"no video") == "undecodable"
