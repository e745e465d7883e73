"""The rule of dynamic degree, against the constants worked out from VBench for the five models."""

import numpy as np
import pytest

from scripts.evaluate import movement


@pytest.mark.parametrize(
    ("model", "height", "width", "frames", "fps", "step", "kept", "threshold", "needed"),
    [
        ("SVD", 576, 1024, 25, 7, 1, 25, 13.5, 6),
        ("CogVideoX", 480, 720, 49, 8, 1, 49, 11.25, 12),
        ("I2VGen-XL at 16 fps", 704, 1280, 16, 16, 2, 8, 16.5, 2),
        ("I2VGen-XL at 8 fps", 704, 1280, 16, 8, 1, 16, 16.5, 4),
        ("Open-Sora", 720, 1280, 51, 24, 3, 17, 16.875, 4),
        ("Pika", 576, 1024, 72, 24, 3, 24, 13.5, 6),
    ],
)
def test_constants_of_the_papers_models(
    model, height, width, frames, fps, step, kept, threshold, needed
):
    assert movement.frame_step(fps) == step
    assert len(range(0, frames, movement.frame_step(fps))) == kept
    assert movement.moving_threshold(height, width) == threshold
    assert movement.moving_threshold(width, height) == threshold
    assert movement.needed_pairs(kept) == needed


def test_halves_are_rounded_to_even():
    assert movement.frame_step(12) == 2  # 1.5
    assert movement.frame_step(20) == 2  # 2.5
    assert movement.frame_step(28) == 4  # 3.5
    assert movement.needed_pairs(10) == 2  # 2.5
    assert movement.needed_pairs(14) == 4  # 3.5


@pytest.mark.parametrize("fps", [0, 0.5, 3, 4])
def test_slow_videos_keep_every_frame(fps):
    assert movement.frame_step(fps) == 1


def test_strongest_motion_is_the_mean_of_the_fastest_twentieth():
    flow = np.zeros((2, 10, 20))
    flow[0].ravel()[:9] = 3.0
    flow[1].ravel()[:9] = 4.0  # nine of the ten fastest pixels move by 5
    assert movement.strongest_motion(flow) == pytest.approx(4.5)


def test_strongest_motion_equals_vbenchs_sorting():
    flow = np.random.default_rng(0).normal(size=(2, 37, 53)).astype(np.float32)
    magnitude = np.sqrt(np.square(flow[0]) + np.square(flow[1])).ravel()
    expected = np.mean(abs(np.sort(-magnitude))[: int(37 * 53 * 0.05)])
    assert movement.strongest_motion(flow) == pytest.approx(expected, rel=1e-6)


def test_a_pair_at_the_threshold_does_not_move():
    assert not movement.is_moving([5.0, 5.0, 5.0, 5.0], threshold=5.0, needed=1)
    assert movement.is_moving([5.0, 5.0, 5.0, 5.1], threshold=5.0, needed=1)
    assert not movement.is_moving([5.0, 5.0, 5.0, 5.1], threshold=5.0, needed=2)
