"""What controls of the bias ledger make of a video."""

import numpy as np
import pytest

from scripts.common.errors import Rejected
from scripts.common.video import encode_video, probe_video, read_frames
from scripts.detect.controls import GREY, Control
from scripts.detect.make_controls import animate
from scripts.detect.tip_id import Video


def video_of(frames: int = 24, fps: float = 8, width: int = 64, height: int = 32):
    """Return a video of which each frame is of one grey, 10 levels brighter than the one before."""
    levels = np.arange(frames) * 10 % 250
    pictures = [np.full((height, width, 3), level, np.uint8) for level in levels]
    data = encode_video(pictures, fps, crf=1)
    return data, Video("a", "b", "real", "0", width, height, frames, fps)


def levels_of(data: bytes) -> list[int]:
    return [round(float(frame.mean()) / 10) for frame in read_frames(data)]


def test_what_changes_nothing_keeps_the_bytes():
    data, video = video_of()
    assert Control(trained=True).apply(data, video) is data


def test_one_format_is_one_rate_size_and_length():
    control = Control(fps=4, seconds=1.5, width=32, height=48, crf=30)
    for frames, fps, width, height in ((24, 8, 64, 32), (30, 12, 48, 80), (24, 4, 32, 48)):
        data, video = video_of(frames, fps, width, height)
        made = control.apply(data, video)
        found = probe_video(made)
        assert (found.fps, found.frames, found.width, found.height) == (4, 6, 32, 48)
        assert levels_of(made) == [number * fps // 4 for number in range(6)], "of their times"


def test_no_frame_comes_twice():
    control = Control(fps=10, seconds=1)
    with pytest.raises(Rejected, match="too_slow"):
        control.apply(*video_of(24, 8))
    made = control.apply(*video_of(24, 15))
    assert len(set(levels_of(made))) == 10


@pytest.mark.parametrize(("frames", "is_enough"), [(16, True), (15, True), (14, False)])
def test_a_video_that_is_too_short_is_told(frames, is_enough):
    control = Control(fps=4, seconds=2)
    if is_enough:  # the last frame is shown from 1.75 s on
        assert probe_video(control.apply(*video_of(frames))).frames == 8
    else:
        with pytest.raises(Rejected, match="too_short"):
            control.apply(*video_of(frames))


def test_the_middle_is_kept_and_nothing_is_stretched():
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, 16:48] = 200
    data = encode_video([picture] * 4, 4, crf=1)
    made = Control(width=32, height=32, crf=1).apply(data, Video("a", "b", "c", "0", 64, 32, 4, 4))
    assert read_frames(made).min() > 190


def test_boxes_become_grey_and_all_else_stays():
    data, video = video_of()
    made = read_frames(Control(mask=[[0.75, 0.5, 1, 1]], crf=1).apply(data, video))
    assert np.abs(made[:, 17:, 50:].astype(int) - GREY).max() < 6
    original = read_frames(data)
    assert np.abs(made[:, :15].astype(int) - original[:, :15]).max() < 8
    assert np.abs(made[:, :, :46].astype(int) - original[:, :, :46]).max() < 8


def test_compression_and_size_change_nothing_else():
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (64, 64, 3), np.uint8) for _ in range(6)]
    data, video = encode_video(noise, 6), Video("a", "b", "c", "0", 64, 64, 6, 6)
    small, fine = (Control(crf=crf).apply(data, video) for crf in (45, 20))
    assert 3 * len(small) < len(fine)
    for made in (small, fine):
        found = probe_video(made)
        assert (found.fps, found.frames, found.width, found.height) == (6, 6, 64, 64)
    half = probe_video(Control(scale=0.5).apply(data, video))
    assert (half.fps, half.frames, half.width, half.height) == (6, 6, 32, 32)


def test_an_animated_image_has_the_format_of_the_video_whose_place_it_takes():
    entry = {
        "backend": "scripts.generate.camera_motion:CameraMove",
        "settings": {"size": 32, "frames": 2, "fps": 1},
    }
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (50, 90, 3), np.uint8)
    video = Video("a", "b", "image_generated", "0", 64, 48, 9, 12.0)
    found = probe_video(animate(image, video, entry, 3))
    assert (found.fps, found.frames, found.width, found.height) == (12, 9, 64, 48)
    moving = read_frames(animate(image, video, entry, 3)).astype(int)
    assert np.abs(np.diff(moving, axis=0)).mean(axis=(1, 2, 3)).min() > 1, "it moves throughout"
    assert animate(image, video, entry, 3) == animate(image, video, entry, 3)
    assert animate(image, video, entry, 3) != animate(image, video, entry, 4)
    with pytest.raises(Rejected, match="undecodable"):
        animate(image, Video("a", "b", "c", "0", 64, 48, 9, 0.0), entry, 3)
