"""Dynamic degree with a classical flow: pictures whose motion is known."""

import numpy as np
import pytest

from scripts.common.errors import Rejected
from scripts.evaluate.classical_flow import DynamicDegreeEmbedded
from tests.evaluate.moving_pictures import item_of, pan


@pytest.mark.parametrize(
    ("step", "moves"),
    [(0, 0), (1, 0), (2, 0), (6, 1), (10, 1)],  # the threshold is 3.375 pixels at 144
)
def test_a_pan_moves_above_the_threshold(step, moves):
    assert DynamicDegreeEmbedded().score(item_of(pan(16, step))) == moves


def test_the_frame_rate_decides_which_frames_are_compared():
    frames = pan(24, 2)
    assert DynamicDegreeEmbedded().score(item_of(frames, fps=8.0)) == 0
    assert DynamicDegreeEmbedded().score(item_of(frames, fps=24.0)) == 1


def test_a_quarter_of_the_frames_must_move():
    moving, still = pan(16, 8), np.repeat(pan(1, 0), 16, axis=0)
    score = DynamicDegreeEmbedded().score
    # 16 frames need four pairs.
    assert score(item_of(np.concatenate([moving[:5], np.repeat(moving[4:5], 11, axis=0)]))) == 1
    assert score(item_of(np.concatenate([moving[:4], np.repeat(moving[3:4], 12, axis=0)]))) == 0
    assert score(item_of(still)) == 0


def test_one_kept_frame_is_too_few():
    with pytest.raises(Rejected):
        DynamicDegreeEmbedded().score(item_of(pan(3, 0), fps=24.0))
