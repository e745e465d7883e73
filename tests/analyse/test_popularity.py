"""Popularity of subjects and directions, counted from a small data set."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analyse.count_popularity import count_popularity, rank_names
from scripts.analyse.plot_figure5 import names_for
from scripts.common.tables import read_frame


def write_dataset(path, rows):
    pd.DataFrame(rows, columns=["Subject", "Direction"]).to_parquet(path)


def test_subjects_and_verbs_are_counted_apart(tmp_path):
    rows = [
        ("dragon", "fly,move"),
        ("dragon", "move"),
        ("Dragon", "move, blink"),
        (None, ""),
        ("", "fly"),
        ("cat", ""),
    ]
    write_dataset(tmp_path / "dataset.parquet", rows)
    counts = count_popularity(tmp_path / "dataset.parquet", tmp_path / "popularity.parquet")
    table = read_frame(tmp_path / "popularity.parquet")
    assert table.to_dict("list") == {
        "kind": ["subject"] * 3 + ["direction"] * 3,
        "name": ["dragon", "Dragon", "cat", "move", "fly", "blink"],
        "count": [2, 1, 1, 3, 2, 1],
        "rank": [1, 2, 3, 1, 2, 3],
        "cumulative_share": [0.5, 0.75, 1.0, 0.5, 5 / 6, 1.0],
    }
    assert counts.sentence() == ("read 6 = kept 5 + rejected 1 (neither_subject_nor_direction 1)")


def test_a_data_set_without_names_gives_an_empty_table(tmp_path):
    write_dataset(tmp_path / "dataset.parquet", [(None, ""), ("", "")])
    counts = count_popularity(tmp_path / "dataset.parquet", tmp_path / "popularity.parquet")
    assert read_frame(tmp_path / "popularity.parquet").empty
    assert counts.lost == 0


@settings(deadline=None)  # the first table of a process is slow on a busy machine
@given(st.lists(st.sampled_from(["a", "b", "c", "d", " ", ""])))
def test_shares_rise_to_one_and_order_does_not_matter(names):
    table = rank_names(pd.Series(names, dtype=object))
    again = rank_names(pd.Series(sorted(names), dtype=object))
    pd.testing.assert_frame_equal(table, again)
    assert table["count"].sum() == sum(name.strip() != "" for name in names)
    assert table["count"].is_monotonic_decreasing
    if len(table):
        assert table["cumulative_share"].iloc[-1] == 1.0
        assert table["cumulative_share"].is_monotonic_increasing


def test_how_many_names_have_a_share():
    shares = pd.Series([0.5, 0.8, 0.9, 1.0])
    assert [names_for(shares, share) for share in (0.1, 0.5, 0.51, 0.8, 1.0)] == [1, 1, 2, 2, 4]
