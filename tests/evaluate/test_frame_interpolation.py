"""Motion smoothness: the protocol, with an interpolation that is known."""

import numpy as np
import pytest

from scripts.common.errors import Rejected
from scripts.common.roles import EvaluationItem
from scripts.evaluate.frame_interpolation import (
    MotionSmoothnessEmbedded,
    TemporalFlickering,
    mean_frame,
    smoothness,
)
from tests.evaluate.moving_pictures import item_of


def grey(*levels):
    return np.stack([np.full((4, 6, 3), level, np.uint8) for level in levels])


@pytest.mark.parametrize(("frames", "pairs"), [(25, 12), (16, 7), (49, 24), (3, 1), (4, 1)])
def test_number_of_pairs(frames, pairs):
    seen = []

    def interpolate(before, after):
        seen.append((int(before[0, 0, 0]), int(after[0, 0, 0])))
        return before

    smoothness(grey(*range(frames)), interpolate)
    assert seen == [(first, first + 2) for first in range(0, 2 * pairs, 2)]


def test_score_by_hand():
    # The middle of 0 and 100 is 50, the frame is 80; of 100 and 201 it is 150 (cut), and it is 151.
    frames = grey(0, 80, 100, 151, 201, 7)
    expected = (255 - (30 + 1) / 2) / 255
    assert smoothness(frames, mean_frame) == pytest.approx(expected)


def test_differences_do_not_wrap():
    assert smoothness(grey(0, 255, 0), mean_frame) == 0
    assert smoothness(grey(255, 0, 255), mean_frame) == 0


def test_even_motion_scores_above_jumps_of_the_same_length():
    backend = MotionSmoothnessEmbedded()
    even, uneven = grey(*range(0, 90, 10)), grey(0, 19, 20, 39, 40, 59, 60, 79, 80)
    score = {
        name: backend.score(EvaluationItem(frames, 8.0, "", frames[0], 0))
        for name, frames in {"even": even, "uneven": uneven}.items()
    }
    assert score["even"] == 1
    assert score["uneven"] == pytest.approx((255 - 9) / 255)


def test_two_frames_are_too_few():
    with pytest.raises(Rejected) as caught:
        smoothness(grey(1, 2), mean_frame)
    assert caught.value.reason == "too_few_frames"


def test_flickering_by_hand():
    frames = np.zeros((3, 2, 2, 3), dtype=np.uint8)
    frames[1], frames[2] = 51, 0  # a fifth of 255 up, and down again: no wrap
    assert TemporalFlickering().score(item_of(frames)) == pytest.approx(0.8)
    assert TemporalFlickering().score(item_of(frames[[0, 0]])) == 1
    with pytest.raises(Rejected):
        TemporalFlickering().score(item_of(frames[:1]))
