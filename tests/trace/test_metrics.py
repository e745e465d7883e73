"""Micro average precision against its vectors, its twin, and its definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score

from scripts.trace.metrics import (
    _repeated_precision,
    bootstrap_interval,
    micro_average_precision,
    recall_at_1,
    recall_at_precision,
)

VECTORS = [
    ([0.9, 0.8, 0.8, 0.7], [1, 0, 1, 1], 5, 0.4833333333, 0.4833333333),
    ([0.8, 0.8, 0.8], [0, 1, 1], 2, 0.5833333333, 0.6666666667),
    ([0.95, 0.9, 0.85, 0.8, 0.75, 0.7], [1, 1, 0, 1, 0, 0], 4, 0.6875, 0.6875),
]


@st.composite
def predictions(draw, unique=False):
    size = draw(st.integers(1, 40))
    values = st.integers(0, 10_000 if unique else 8)
    scores = draw(arrays(np.float64, size, elements=values, unique=unique)) / 16
    is_match = draw(arrays(bool, size))
    missing = draw(st.integers(0, 5))
    return scores, is_match, int(is_match.sum()) + missing


@pytest.mark.parametrize(("scores", "is_match", "positives", "expected", "twin"), VECTORS)
def test_vectors(scores, is_match, positives, expected, twin):
    assert micro_average_precision(scores, is_match, positives=positives) == pytest.approx(expected)
    found = sum(is_match)
    assert average_precision_score(is_match, scores) * found / positives == pytest.approx(twin)


@given(predictions(unique=True))
def test_equals_scikit_learn_without_ties(case):
    scores, is_match, positives = case
    value = micro_average_precision(scores, is_match, positives=positives)
    if not positives:
        assert math.isnan(value)
    elif not is_match.any():
        assert value == 0
    else:
        twin = average_precision_score(is_match, scores) * is_match.sum() / positives
        assert value == pytest.approx(twin)


@given(predictions(), st.randoms())
def test_is_the_worst_order_of_ties_whatever_order_they_come_in(case, random):
    scores, is_match, positives = case
    value = micro_average_precision(scores, is_match, positives=positives)
    order = list(range(len(scores)))
    random.shuffle(order)
    again = micro_average_precision(scores[order], is_match[order], positives=positives)
    if not positives:
        assert math.isnan(value)
        return
    assert again == pytest.approx(value)
    by_hand = sorted(zip(scores, is_match, strict=True), key=lambda pair: (-pair[0], pair[1]))
    true, total = 0, 0.0
    for rank, (_, match) in enumerate(by_hand, 1):
        true += match
        total += match * true / rank
    assert value == pytest.approx(total / positives)


def test_distractors_only_cost_precision_and_missing_pairs_count():
    alone = micro_average_precision([0.9, 0.7], [1, 1], positives=2)
    assert alone == 1
    assert micro_average_precision([0.9, 0.7, 0.8], [1, 1, 0], positives=2) == pytest.approx(5 / 6)
    assert micro_average_precision([0.9, 0.7], [1, 1], positives=4) == pytest.approx(0.5)
    assert micro_average_precision([], [], positives=4) == 0


@pytest.mark.parametrize(
    ("scores", "is_match", "positives", "message"),
    [
        ([0.5], [1, 0], 1, "do not fit"),
        ([float("nan")], [1], 1, "not a number"),
        ([0.5, 0.4], [1, 1], 1, "only 1 exist"),
    ],
)
def test_refuses_what_makes_no_sense(scores, is_match, positives, message):
    with pytest.raises(ValueError, match=message):
        micro_average_precision(scores, is_match, positives=positives)


def test_recall_at_1_counts_single_best_references():
    queries = ["a", "a", "b", "b", "c", "d"]
    scores = [0.9, 0.8, 0.9, 0.9, 0.7, 0.5]
    is_match = [1, 0, 1, 0, 0, 1]
    # a is found, b is tied, c was given a wrong one, d is found; e has no row at all
    assert recall_at_1(queries, scores, is_match, positives=5) == pytest.approx(2 / 5)


def test_recall_at_precision_takes_the_deepest_point():
    scores = np.arange(20, 0, -1) / 20
    is_match = np.ones(20, bool)
    is_match[[0, 19]] = False
    # at rank 19: 18 of 19 are true, 94.7 %; at rank 20: 18 of 20, exactly 90 %
    assert recall_at_precision(scores, is_match, positives=20) == pytest.approx(18 / 20)
    assert recall_at_precision(scores, is_match, positives=20, precision=0.96) == 0


@given(predictions(), st.data())
def test_a_weighted_ranking_equals_the_repeated_one(case, data):
    scores, is_match, _ = case
    copies = data.draw(arrays(np.int64, len(scores), elements=st.integers(0, 4)))
    order = np.lexsort((is_match, -scores))
    value = _repeated_precision(copies[order], is_match[order])
    repeated = np.repeat(scores, copies), np.repeat(is_match, copies)
    positives = int(repeated[1].sum())
    expected = micro_average_precision(*repeated, positives=positives) * positives
    assert value == pytest.approx(0 if math.isnan(expected) else expected)


def test_interval_holds_the_value_and_narrows_with_more_queries():
    random = np.random.default_rng(5)

    def interval(count):
        is_match = random.random(count) < 0.6
        scores = np.where(is_match, 0.6, 0.4) + 0.2 * random.standard_normal(count)
        has_match = np.ones(count, bool)
        value = micro_average_precision(scores, is_match, positives=count)
        low, high = bootstrap_interval(
            np.arange(count), scores, is_match, has_match=has_match, resamples=300, seed=1
        )
        assert low < value < high
        return high - low

    assert interval(2_000) < 0.5 * interval(100)


def test_interval_is_repeatable_and_undefined_without_pairs():
    case = np.arange(6), [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 0, 1, 0, 0, 1]
    arguments = {"has_match": [1, 0, 1, 1, 0, 1], "resamples": 50}
    first = bootstrap_interval(*case, **arguments, seed=3)
    assert first == bootstrap_interval(*case, **arguments, seed=3)
    assert first != bootstrap_interval(*case, **arguments, seed=4)
    none = bootstrap_interval(*case[:2], [0] * 6, has_match=[0] * 6, resamples=5, seed=1)
    assert all(math.isnan(end) for end in none)
