"""The means of Table 7: every video counts the same, rejected ones are counted and not averaged."""

import pytest

from scripts.common.schemas.evaluate import EVALUATION_SUMMARY, SCORES
from scripts.common.tables import read_frame, write_table
from scripts.evaluate.summarise_evaluation import summarise_evaluation


def row(generator, item, metric, value, reason=None, remark=None, frames=16):
    status = "ok" if reason is None else "rejected"
    values = (generator, item, metric, value, frames, status, reason, remark)
    return dict(zip(SCORES.names, values, strict=True))


@pytest.fixture
def summarise(tmp_path):
    def run(tables, dimensions, generators):
        paths = []
        for number, rows in enumerate(tables):
            paths.append(tmp_path / f"{number}.parquet")
            write_table(rows, paths[-1], SCORES)
        summary = tmp_path / "summary.parquet"
        counts = summarise_evaluation(paths, summary, dimensions=dimensions, generators=generators)
        return read_frame(summary, EVALUATION_SUMMARY), counts

    return run


def test_means_in_the_order_of_the_configuration(summarise):
    frame, counts = summarise(
        [
            [row("pika", "a", "smooth", 0.25), row("pika", "b", "smooth", 0.5)],
            [row("pika", "c", "smooth", 0.75, remark="prompt_truncated")],  # another shard
            [row("svd", "a", "smooth", None, "too_large"), row("svd", "b", "smooth", 1.0)],
            [row("svd", "a", "moves", 1.0), row("pika", "a", "moves", 0.0)],
        ],
        ["smooth", "moves"],
        ["svd", "pika"],
    )
    means = frame[frame["metric"] == "mean"]
    assert means.to_dict("list") == {
        "dimension": ["smooth", "smooth", "moves", "moves"],
        "generator": ["svd", "pika", "svd", "pika"],
        "metric": ["mean"] * 4,
        "value": [1.0, 0.5, 1.0, 0.0],
        "items": [1, 3, 1, 1],
        "rejected": [1, 0, 0, 0],
        "remarked": [0, 1, 0, 0],
    }
    # All of one length: both ways agree, and each mean comes first.
    assert frame["metric"].tolist() == ["mean", "mean_low", "mean_high", "mean_by_frames"] * 4
    assert frame["value"].tolist()[::4] == frame["value"].tolist()[3::4]
    # Of 0.25, 0.5 and 0.75: a deviation of a quarter, over the root of three.
    low, high = frame["value"].tolist()[5:7]
    assert (low, high) == (pytest.approx(0.5 - 0.2829, abs=1e-4), pytest.approx(0.7829, abs=1e-4))
    assert frame["value"].isna().tolist()[1:3] == [True, True]  # a single video has no interval
    assert counts.sentence() == "read 7 = kept 6 + rejected 1 (too_large 1)"


def test_nothing_scored_has_no_mean(summarise):
    frame, _ = summarise(
        [[row("pika", "a", "smooth", None, "no_video")], []], ["smooth", "moves"], ["pika"]
    )
    assert frame["value"].isna().all()
    assert frame["items"].tolist() == [0] * 8
    assert frame["rejected"].tolist() == [1] * 4 + [0] * 4


def test_long_videos_weigh_more_where_frames_count(summarise):
    rows = [
        row("pika", "a", "smooth", 0.9, frames=72),
        row("pika", "b", "smooth", 0.3, frames=24),
        row("pika", "c", "smooth", None, "too_large", frames=1000),
    ]
    frame, _ = summarise([rows], ["smooth"], ["pika"])
    assert frame["value"].tolist()[::3] == [pytest.approx(0.6), pytest.approx(0.75)]
