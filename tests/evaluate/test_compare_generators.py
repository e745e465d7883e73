"""The leaderboard's arithmetic, against cases worked out by hand."""

import numpy as np
import pytest

from scripts.common.schemas.evaluate import LEADERBOARD, SCORES
from scripts.common.tables import read_table, write_table
from scripts.evaluate.compare_generators import (
    compare_generators,
    ranks_of,
    resample,
    smallest_difference,
)


def write_scores(path, scores, metric="m"):
    """Write scores: generator -> those of prompts 0, 1, ...; None is a rejected video."""
    rows = [
        {"generator": generator, "item": f"{number:04}", "metric": metric, "value": value,
         "status": "ok" if value is not None else "rejected",
         "reason": None if value is not None else "undecodable", "remark": None}
        for generator, values in scores.items()
        for number, value in enumerate(values)
    ]  # fmt: skip
    write_table(rows, path, SCORES)
    return path


def compare(tmp_path, scores, generators, seed=0):
    path = write_scores(tmp_path / "scores.parquet", scores)
    out = tmp_path / "leaderboard.parquet"
    counts = compare_generators([path], out, dimensions=["m"], generators=generators, seed=seed)
    return counts, read_table(out, LEADERBOARD).to_pylist()


def test_only_prompts_of_all_generators_are_compared(tmp_path):
    counts, rows = compare(tmp_path, {"a": [1.0, 2.0, 9.0], "b": [0.0, 1.0, None]}, ["b", "a"])
    assert [(row["generator"], row["mean"], row["items"], row["rank"]) for row in rows] == [
        ("b", 0.5, 2, 2), ("a", 1.5, 2, 1),
    ]  # fmt: skip
    assert (counts.kept, dict(counts.rejected), counts.declared) == (
        2,
        {"not_scored_for_all": 1},
        3,
    )


def test_prompts_are_drawn_with_the_videos_of_all(tmp_path):
    # Prompts differ by far more than generators: drawn apart, ranks would be a toss.
    draw = np.random.default_rng(1)
    hard = draw.normal(0, 10, 60)
    _, rows = compare(tmp_path, {"a": list(hard + 0.1), "b": list(hard)}, ["a", "b"])
    assert [(row["rank_low"], row["rank_high"]) for row in rows] == [(1, 1), (2, 2)]
    assert rows[0]["high"] - rows[0]["low"] > 3
    assert rows[0]["smallest_difference"] == pytest.approx(0, abs=1e-9)


def test_intervals_are_those_of_the_mean(tmp_path):
    values = list(np.random.default_rng(2).integers(0, 9, 400).astype(float))
    _, [row, other] = compare(tmp_path, {"a": values, "b": values[::-1]}, ["a", "b"])
    error = np.std(values) / 20
    assert row["low"] == pytest.approx(row["mean"] - 1.96 * error, abs=0.2 * error)
    assert row["high"] == pytest.approx(row["mean"] + 1.96 * error, abs=0.2 * error)
    assert (row["rank"], other["rank"]) == (1, 1)  # equal means
    assert (row["rank_low"], row["rank_high"]) == (1, 2)


def test_the_smallest_difference_is_that_of_the_widest_pair():
    scores = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, -1.0], [2.0, 2.0, -2.0], [3.0, 3.0, -3.0]])
    spread = np.std([0, 2, 4, 6], ddof=1)
    assert smallest_difference(scores) == pytest.approx((1.96 + 0.8416) * spread / 2)
    assert smallest_difference(scores[:1]) is None
    assert smallest_difference(scores[:, :1]) is None


def test_resamples_are_seeded():
    scores = np.random.default_rng(0).random((30, 3))
    first, again = (resample(scores, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first[0], again[0]) and first[0].shape == (2000, 3)
    assert np.ptp(first[0][:, 0]) > 0
    assert ranks_of(np.array([[3.0, 5.0, 3.0]])).tolist() == [[2, 1, 2]]


def test_a_generator_without_scores_leaves_no_rows(tmp_path):
    counts, rows = compare(tmp_path, {"a": [1.0, 2.0], "b": [None, None]}, ["a", "b"])
    assert rows == [] and counts.rejected["not_scored_for_all"] == 2
