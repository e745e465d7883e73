"""Accuracy and average precision against scikit-learn and vectors worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score

from scripts.common.schemas.detect import ACCURACY, ACCURACY_HIGH, ACCURACY_LOW, CAUGHT, MAP
from scripts.detect.metrics import binary_measures, class_measures


def test_binary_measures_by_hand():
    # Ranked: .9 fake, .8 real, .6 fake, .2 real: precision 1 at the first hit, 2/3 at the second.
    measures = binary_measures(real=[0.8, 0.2], fake=[0.9, 0.6])
    assert measures[MAP] == pytest.approx((1 + 2 / 3) / 2)
    assert measures[ACCURACY] == 0.75


def test_the_interval_of_two_classes_is_that_of_their_items():
    # All real items right; of 100 generated ones 80: the whole moves by half of a binomial's share.
    measures = binary_measures([0.1] * 100, [0.9] * 80 + [0.2] * 20)
    assert measures[ACCURACY] == pytest.approx(0.9)
    assert measures[ACCURACY_LOW] == pytest.approx(0.9 - 1.96 * 0.04 / 2, abs=0.006)
    assert measures[ACCURACY_HIGH] == pytest.approx(0.9 + 1.96 * 0.04 / 2, abs=0.006)


def test_a_score_of_one_half_is_called_real():
    assert binary_measures(real=[0.5], fake=[0.5])[ACCURACY] == 0.5


def test_blind_guessing_gives_the_tables_rows():
    assert binary_measures([0.3] * 5, [0.3] * 5)[MAP] == pytest.approx(0.5)
    blind = class_measures(np.full((6, 3), 1 / 3), np.repeat(range(3), 2))
    assert blind[MAP] == pytest.approx(1 / 3)
    assert blind[ACCURACY] == pytest.approx(1 / 3)


def test_unbalanced_sets_are_refused():
    with pytest.raises(ValueError, match="1 real and 2 generated"):
        binary_measures([0.1], [0.2, 0.3])
    with pytest.raises(ValueError, match=r"classes of \[2, 1, 1\]"):
        class_measures(np.full((4, 3), 1 / 3), np.array([0, 0, 1, 2]))


def test_what_is_caught_at_one_false_alarm_in_a_hundred():
    """Of 200 real items two may be above the threshold, and of 99 none."""
    real = np.linspace(0, 0.995, 200)
    fake = np.full(200, 0.5)
    fake[:50] = 0.9875  # above the third highest of the real ones, 0.985, and no other
    fake[50:60] = 0.985
    assert binary_measures(real, fake)[CAUGHT] == 0.25
    assert binary_measures(real[-99:], np.full(99, 0.995))[CAUGHT] == 0
    assert binary_measures(real[-99:], np.full(99, 0.996))[CAUGHT] == 1


def test_confusion_and_interval_by_hand():
    """Of four real items one is taken for text-generated; all others are right."""
    truth = np.repeat(range(3), 4)
    outputs = np.eye(3)[truth]
    outputs[0] = [0.2, 0.7, 0.1]
    measures = class_measures(outputs, truth)
    assert measures["real_as_text_generated"] == 0.25 and measures["real_as_real"] == 0.75
    assert measures["text_generated_as_real"] == 0 and measures[ACCURACY] == pytest.approx(11 / 12)
    # Binomial of 4 at 3/4: none wrong 0.316, one 0.422, two 0.211, three 0.047, four 0.004.
    assert measures[ACCURACY_LOW] == pytest.approx(9 / 12)
    assert measures[ACCURACY_HIGH] == pytest.approx(1.0)
    assert measures == class_measures(outputs, truth)


def test_class_measures_by_hand():
    outputs = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.4, 0.1, 0.5]])
    measures = class_measures(outputs, np.array([0, 1, 2]))
    assert measures[ACCURACY] == pytest.approx(2 / 3)
    assert measures[MAP] == pytest.approx(1.0)
    swapped = class_measures(outputs, np.array([1, 0, 2]))
    # Class 0 is second of three in its column, class 1 second of three, class 2 first.
    assert swapped[MAP] == pytest.approx((0.5 + 0.5 + 1) / 3)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_binary_measures_are_scikit_learns(pairs):
    real, fake = map(list, zip(*pairs, strict=True))
    measures = binary_measures(real, fake)
    truth, scores = [0] * len(real) + [1] * len(fake), np.array(real + fake)
    assert measures[ACCURACY] == pytest.approx(accuracy_score(truth, scores > 0.5))
    assert measures[MAP] == pytest.approx(average_precision_score(truth, scores))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_class_measures_are_scikit_learns(size, seed):
    outputs = np.random.default_rng(seed).dirichlet((1, 1, 1), 3 * size)
    truth = np.repeat(range(3), size)
    measures = class_measures(outputs, truth)
    each = [average_precision_score(truth == kind, outputs[:, kind]) for kind in range(3)]
    assert measures[MAP] == pytest.approx(np.mean(each))
    assert measures[ACCURACY] == pytest.approx(accuracy_score(truth, outputs.argmax(axis=1)))
