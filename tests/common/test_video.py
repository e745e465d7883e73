import io

import av
import numpy as np
import pytest

from scripts.common.errors import Rejected
from scripts.common.roles import Sound
from scripts.common.video import cut_video, encode_video, probe_video, read_frames, uniform_indices


@pytest.fixture(scope="module")
def clip():
    values = np.linspace(20, 230, 12).astype(np.uint8)
    return np.broadcast_to(values[:, None, None, None], (12, 32, 48, 3))


def test_what_is_encoded_comes_back(clip):
    data = encode_video(clip, 8.0, crf=10)
    properties = probe_video(data)
    assert (properties.width, properties.height, properties.frames) == (48, 32, 12)
    assert properties.fps == 8.0 and properties.duration_s == 1.5 and properties.codec == "h264"
    frames = read_frames(data)
    assert np.abs(frames.astype(int) - clip).max() <= 6


def test_wanted_frames_come_in_the_wanted_order(clip):
    data = encode_video(clip, 8.0, crf=10)
    whole = read_frames(data)
    assert np.array_equal(read_frames(data, [5, 0, 5]), whole[[5, 0, 5]])
    assert read_frames(data, [3], size=(16, 8)).shape == (1, 8, 16, 3)


def test_equal_frames_give_equal_bytes(clip):
    assert encode_video(clip, 24, crf=30) == encode_video(clip, 24, crf=30)


@pytest.mark.parametrize("channels", [1, 2])
def test_sound_goes_in_and_the_video_is_as_long_as_before(clip, channels):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(36_000) / 24_000, dtype=np.float64)
    samples = np.stack([tone, -tone][:channels]).astype(np.float32)
    data = encode_video(clip, 8.0, crf=10, sound=Sound(samples, 24_000))
    assert data == encode_video(clip, 8.0, crf=10, sound=Sound(samples, 24_000))
    assert probe_video(data) == probe_video(encode_video(clip, 8.0, crf=10))
    with av.open(io.BytesIO(data)) as container:
        heard = np.concatenate([block.to_ndarray() for block in container.decode(audio=0)], axis=1)
        assert container.streams.audio[0].rate == 24_000
    assert heard.shape[0] == channels and 36_000 <= heard.shape[1] <= 36_000 + 3 * 1024
    power = np.abs(np.fft.rfft(heard[-1][:24_000]))
    assert power.argmax() == 440


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: b"", "empty_file"),
        (lambda data: b"\x00\x01" * 500, "undecodable"),
        (lambda data: data[: len(data) // 2], "undecodable"),
        (lambda data: b"<html>not found</html>" * 50, "undecodable"),
    ],
)
def test_a_bad_file_has_a_reason(clip, spoil, reason):
    with pytest.raises(Rejected) as fault:
        probe_video(spoil(encode_video(clip, 8)))
    assert fault.value.reason == reason


def test_a_missing_file_and_a_missing_frame_have_reasons(clip, tmp_path):
    with pytest.raises(Rejected) as fault:
        probe_video(tmp_path / "none.mp4")
    assert fault.value.reason == "missing_file"
    with pytest.raises(Rejected) as fault:
        read_frames(encode_video(clip, 8), [99])
    assert fault.value.reason == "no_frames"


def test_uniform_indices_are_those_of_the_recipe():
    assert uniform_indices(49, 16) == [0, 3, 6, 9, 12, 16, 19, 22, 25, 28, 32, 35, 38, 41, 44, 48]
    assert uniform_indices(25, 16) == [0, 1, 3, 4, 6, 8, 9, 11, 12, 14, 16, 17, 19, 20, 22, 24]
    assert uniform_indices(1, 3) == [0, 0, 0]


def moving_discs(width, height):
    y, x = np.mgrid[:height, :width]
    for time in range(24):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 1] = y % 256
        for disc in range(9):
            centre = ((disc * 37 + (disc - 4) * time) % width, (disc * 53 + 2 * time) % height)
            inside = np.hypot(x - centre[0], y - centre[1]) < 12
            frame[inside] = (disc * 28, 255 - disc * 20, disc * 11)
        yield frame


@pytest.mark.parametrize("size", [(240, 160), (192, 192), (66, 50)])
def test_encoding_does_not_depend_on_what_lies_in_memory(size):
    """x264's macroblock tree reads beyond a row of blocks (seen on processors with AVX-512)."""
    random = np.random.default_rng(1)
    results = set()
    for _ in range(8):
        # What is freed here lies, with other contents each time, where the encoder will work.
        junk = [random.bytes(int(random.integers(1_000, 3_000_000))) for _ in range(5)]
        results.add(encode_video(list(moving_discs(*size)), 24, crf=18))
        del junk
    assert len(results) == 1


def test_a_video_is_cut_into_whole_pieces_and_the_rest_goes():
    frames = np.stack([np.full((16, 32, 3), 4 * number, np.uint8) for number in range(60)])
    pieces = list(cut_video(encode_video(frames, 8), 3))
    assert [properties.frames for _, properties in pieces] == [24, 24]
    for number, (data, properties) in enumerate(pieces):
        assert probe_video(data) == properties
        assert abs(int(read_frames(data, [0])[0].mean()) - 4 * 24 * number) <= 2
    with pytest.raises(Rejected, match="undecodable"):
        list(cut_video(b"no video", 3))
    with pytest.raises(Rejected, match="too_many_pixels"):
        list(cut_video(encode_video(frames, 8), 3, max_megapixels=1e-4))
