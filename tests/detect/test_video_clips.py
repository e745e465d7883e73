"""Which frames make a clip, and how they are prepared."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.backends import load_backend
from scripts.common.errors import UserError
from scripts.detect import clips
from scripts.detect.clips import (
    ClipSettings,
    channels_first,
    consecutive_clips,
    evaluation_input,
    normalise,
    random_clip,
    scaled_size,
    subsample,
    training_input,
    window_frames,
)
from tests.detect.made_up_sources import tiny_entry

BASE = ClipSettings(frames=16, seconds=16 * 4 / 30, size=224, short_side=(256, 320))
SMALL = ClipSettings(frames=4, seconds=1.0, size=32, short_side=(36, 45))


def test_uniform_subsampling_of_known_lengths():
    assert subsample(range(49), 16) == [
        *(0, 3, 6, 9, 12, 16, 19, 22, 25, 28, 32, 35, 38, 41, 44, 48)
    ]
    assert subsample(range(25), 16) == [*(0, 1, 3, 4, 6, 8, 9, 11, 12, 14, 16, 17, 19, 20, 22, 24)]
    assert subsample(range(10, 12), 4) == [10, 10, 10, 11]


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 32))
def test_uniform_subsampling_is_pytorchvideos(length, count):
    """But for torch's rounding, which may fall just short of a whole number."""
    indices = torch.linspace(0, length - 1, count).clamp(0, length - 1).long().tolist()
    for number, (ours, theirs) in enumerate(
        zip(subsample(range(length), count), indices, strict=True)
    ):
        is_whole = count > 1 and number * (length - 1) % (count - 1) == 0
        assert ours == theirs or (is_whole and ours == theirs + 1)


def test_windows_by_the_clock():
    assert window_frames(72, 24.0, 0.0, 2.0) == range(49)
    assert window_frames(72, 24.0, 0.99, 1.0) == range(24, 48)
    assert window_frames(25, 7.0, 1.0, 64 / 30) == range(7, 22)
    assert window_frames(5, 0.0, 0.0, 1.0) == range(5)
    assert window_frames(3, 1.0, 0.5, 0.2) == range(1, 2)


def test_a_test_video_is_seen_in_whole_windows():
    assert len(consecutive_clips(72, 24.0, BASE)) == 1
    cog = consecutive_clips(49, 8.0, BASE)
    assert [clip[0] for clip in cog] == [0, 18]
    assert [clip[-1] for clip in cog] == [17, 34]
    assert consecutive_clips(1, 24.0, BASE) == [[0] * 16]


@settings(deadline=None)
@given(st.integers(1, 200), st.sampled_from([0.0, 7.0, 8.0, 24.0, 29.97]), st.integers(0, 99))
def test_random_clips_stay_inside(frames, fps, seed):
    clip = random_clip(frames, fps, BASE, np.random.default_rng(seed))
    assert len(clip) == 16
    assert clip == sorted(clip)
    assert 0 <= clip[0] <= clip[-1] < frames
    if fps:
        assert (clip[-1] - clip[0]) / fps <= BASE.seconds + 1e-9


def test_random_windows_reach_the_whole_video():
    rng = np.random.default_rng(0)
    clips = [random_clip(72, 24.0, BASE, rng) for _ in range(200)]
    assert min(clip[0] for clip in clips) == 0 or min(clip[0] for clip in clips) == 1
    assert max(clip[-1] for clip in clips) >= 70


def test_short_sides_are_scaled_and_long_ones_rounded_down():
    assert scaled_size(1024, 576, 256) == (455, 256)
    assert scaled_size(480, 720, 300) == (300, 450)
    small = ClipSettings(4, 1.0, 64, (73, 91), decode_short_side=91)
    assert small.decoded_size(256, 144) == (161, 91)
    assert small.decoded_size(80, 60) is None
    assert BASE.decoded_size(1280, 720) is None


def test_pixels_are_normalised_as_the_checkpoint_expects():
    frames = channels_first(np.full((1, 2, 2, 3), 255, np.uint8))
    # Of the preprocessor of MCG-NJU/videomae-base.
    expected = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(normalise(frames)[0, :, 0, 0].numpy(), expected, rtol=1e-6)


def test_the_shorter_side_is_drawn_with_both_ends(monkeypatch):
    """pytorchvideo's RandomShortSideScale draws 256 to 320, 320 included."""
    drawn = []
    monkeypatch.setattr(clips, "scaled_size", lambda *size: drawn.append(size[2]) or (48, 48))
    frames, rng = np.zeros((1, 48, 48, 3), np.uint8), np.random.default_rng(0)
    for _ in range(300):
        training_input(frames, SMALL, rng)
    assert set(drawn) == set(range(36, 46))


def test_all_frames_of_a_clip_are_cropped_and_mirrored_alike():
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (48, 80, 3), np.uint8)
    clip = training_input(np.stack([picture] * 4), SMALL, rng)
    assert clip.shape == (4, 3, 32, 32)
    assert all(torch.equal(clip[0], frame) for frame in clip)


def test_mirroring_and_cropping_vary():
    ramp = np.tile(np.linspace(0, 255, 80, dtype=np.uint8)[None, None, :, None], (4, 48, 1, 3))
    rng = np.random.default_rng(0)
    clips = [training_input(ramp, SMALL, rng) for _ in range(40)]
    mirrored = [bool(clip[0, 0, 0, 0] > clip[0, 0, 0, -1]) for clip in clips]
    assert 8 < sum(mirrored) < 32
    assert len({clip.mean().item() for clip in clips}) > 20


def test_evaluation_resizes_without_keeping_proportions():
    halves = np.zeros((2, 48, 96, 3), np.uint8)
    halves[:, :, 48:] = 255
    clip = evaluation_input(halves, SMALL)
    assert clip.shape == (2, 3, 32, 32)
    assert (clip[:, 0, :, :15] < 0).all() and (clip[:, 0, :, 17:] > 0).all()


def test_unknown_and_missing_settings_are_named():
    entry = {"backend": "scripts.detect.videomae:VideoMae", "settings": tiny_entry()["settings"]}
    entry["settings"]["clip"]["frame"] = 16
    with pytest.raises(UserError, match=r"VideoMae'.*argument 'frame'; correct the entry's 'sett"):
        load_backend(entry)
    entry["settings"]["clip"] = {"frames": 16, "size": 32, "short_side": [32, 40]}
    with pytest.raises(UserError, match="seconds"):
        load_backend(entry)
