"""Scores from features: against VBench's loop written out, and their limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

from scripts.evaluate.similarity import (
    coherence,
    consistency,
    faithfulness,
    mean_similarity,
    neighbour_similarity,
)


def unit(features):
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def vbench_loop(features):
    total = 0.0
    for i in range(1, len(features)):
        to_previous = max(0.0, float(features[i - 1] @ features[i]))
        to_first = max(0.0, float(features[0] @ features[i]))
        total += (to_previous + to_first) / 2
    return total / (len(features) - 1)


random_features = hypothesis_numpy.arrays(
    np.float64,
    st.tuples(st.integers(2, 12), st.integers(2, 8)),
    elements=st.floats(-1, 1).filter(lambda value: abs(value) > 1e-3),
).map(unit)


@given(random_features)
def test_consistency_is_vbenchs_recurrence(features):
    value = consistency(features)
    assert value == pytest.approx(vbench_loop(features), abs=1e-9)
    assert -1e-9 <= value <= 1 + 1e-9


def test_consistency_of_a_turn_by_hand():
    # 0, 60 and 120 degrees: cosines to the previous frame 1/2, 1/2; to the first 1/2, -1/2 -> 0.
    angles = np.deg2rad([0, 60, 120])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert consistency(features) == pytest.approx(((0.5 + 0.5) / 2 + (0.5 + 0) / 2) / 2)
    assert neighbour_similarity(features) == pytest.approx(0.5)
    assert mean_similarity(features, features[0]) == pytest.approx((1 + 0.5 - 0.5) / 3)


@given(random_features)
def test_a_video_that_stands_still_scores_one(features):
    still = np.repeat(features[:1], 5, axis=0)
    assert consistency(still) == pytest.approx(1)
    assert neighbour_similarity(still) == pytest.approx(1)
    assert mean_similarity(still, features[0]) == pytest.approx(1)


def circle(*degrees):
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_faithfulness_by_hand():
    # To the image at 30 degrees: cosines of 30, 30, 150 (negative: 0); neighbours 1/2 and -1/2 -> 0.
    features, [image] = circle(0, 60, 180), circle(30)
    best = np.cos(np.deg2rad(30))
    assert faithfulness(features, image) == pytest.approx(0.4 * best + 0.3 * 0.25 + 0.3 * 0)


def test_coherence_by_hand():
    # Six frames have the distances 2 and 5: cosines of 20 and of 50 degrees.
    features = circle(0, 10, 20, 30, 40, 50)
    expected = (np.cos(np.deg2rad(20)) + np.cos(np.deg2rad(50))) / 2
    assert coherence(features) == pytest.approx(expected)
    # Drift that adds up is seen here, and not by neighbours: 80 frames, a degree each.
    drifting, swaying = circle(*range(80)), circle(*([0, 1] * 40))
    assert neighbour_similarity(drifting) == pytest.approx(neighbour_similarity(swaying))
    assert coherence(drifting) < coherence(swaying) - 0.08
