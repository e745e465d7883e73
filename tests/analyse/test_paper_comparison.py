"""The paper's numbers beside ours: differences only where they mean something."""

import pandas as pd
import pytest

from scripts.analyse.build_paper_comparison import CITED, build_paper_comparison
from scripts.common.code import ROOT
from tests.analyse.test_overview_tables import overview
from tests.analyse.test_tables import build_all
from tests.analyse.tidy_metrics import (
    COLUMNS,
    GENERATORS,
    LAYOUTS,
    build_table7,
    entry,
    paper_table,
    slug,
    write_summary,
)

KEYS = {name.removeprefix("table"): layout["keys"] for name, layout in LAYOUTS.items()}
ALL_ROWS = {
    slug(row[KEYS[number][-1]]): row[KEYS[number][-1]]
    for number in ("3", "5", "7")
    for row in paper_table(number)
}


def compare(folder, numbers="3457", **settings):
    comparison = folder / "paper_comparison.csv"
    settings = {"paper_rows": ALL_ROWS, "paper_columns": COLUMNS, "comparable": True} | settings
    settings = {"leading": KEYS, "cited": ["VidProM", "AIGCBench"]} | settings
    counts = build_paper_comparison(
        [folder / f"table{number}.csv" for number in numbers],
        [ROOT / "config" / "paper" / f"table{number}.csv" for number in numbers],
        comparison,
        banner="# made up",
        **settings,
    )
    return counts, pd.read_csv(comparison, comment="#", dtype=str, keep_default_na=False)


def test_the_paper_s_own_numbers_differ_by_nothing(tmp_path):
    build_all(tmp_path)
    counts, table = compare(tmp_path)
    cells = sum(len(row) - len(KEYS[number]) for number in "3457" for row in paper_table(number))
    assert (counts.kept, counts.rejected.total()) == (cells, 0)
    assert len(table) == cells
    measured = table[table["column"] != "Avg."]
    assert (measured["difference"].astype(float) == 0).all()
    assert (table["note"] == "").all()


def test_a_difference_is_that_of_the_printed_numbers(tmp_path):
    summary = write_summary(tmp_path / "summary.parquet")
    dimensions = [entry("dynamic_degree", "Moves")]
    build_table7(
        summary, [tmp_path / "table7.csv"], generators=GENERATORS, dimensions=dimensions, banner=""
    )
    path = tmp_path / "table7.csv"
    path.write_text(path.read_text().replace("0.058", "0.061"))
    _, table = compare(tmp_path, "7", paper_rows={"dynamic_degree": "Dynamic Degree"})
    row = table[(table["row"] == "Dynamic Degree") & (table["column"] == "Pika")].iloc[0]
    assert (row["paper"], row["ours"], row["difference"]) == ("0.058", "0.061", "+0.003")
    assert (row["entry"], row["generator"], row["items"]) == ("dynamic_degree", "pika", "10000")


@pytest.mark.parametrize(
    ("comparable", "embedded", "note"),
    [
        (False, False, "not compared: the data is not the paper's"),
        (False, True, "not compared: the data is not the paper's"),
        (True, True, "not compared: a stand-in made the number"),
    ],
)
def test_no_difference_for_made_up_data_or_a_stand_in(tmp_path, comparable, embedded, note):
    build_table7(
        write_summary(tmp_path / "summary.parquet"),
        [tmp_path / "table7.csv"],
        generators=GENERATORS,
        dimensions=[entry("dover", "DOVER", embedded=embedded)],
        banner="",
    )
    _, table = compare(tmp_path, "7", comparable=comparable)
    rows = table[table["row"] == "DOVER"]
    assert rows["ours"].tolist() == rows["paper"].tolist()
    assert set(rows["difference"]) == {""} and set(rows["note"]) == {note}


def test_what_has_no_counterpart_is_listed_without_ours(tmp_path):
    build_table7(
        write_summary(tmp_path / "summary.parquet"),
        [tmp_path / "table7.csv"],
        generators=GENERATORS[:2],
        dimensions=[entry("dover", "DOVER")],
        banner="",
    )
    counts, table = compare(tmp_path, "7", paper_columns={"pika": "Pika"})
    assert (counts.kept, dict(counts.rejected)) == (1, {"no_counterpart": 49})
    measured = table[table["ours"] != ""]
    assert measured[["row", "column"]].to_numpy().tolist() == [["DOVER", "Pika"]]
    assert set(table[table["ours"] == ""]["note"]) == {"no counterpart here"}


def test_an_average_over_other_generators_is_not_compared(tmp_path):
    build_all(tmp_path)
    others = {name: column for name, column in COLUMNS.items() if name != "svd"}
    _, table = compare(tmp_path, "4", paper_columns=others)
    averages = table[table["column"] == "Avg."]
    assert len(averages) == 6 and (averages["ours"] == "").all()


def test_what_nobody_can_measure_says_so(tmp_path):
    build_table7(
        write_summary(tmp_path / "summary.parquet"),
        [tmp_path / "table7.csv"],
        generators=GENERATORS,
        dimensions=[entry("dover", "DOVER", unavailable="no package"), entry("dynamic_degree")],
        banner="",
    )
    rows = {"dover": "DOVER", "dynamic_degree": "Dynamic Degree"}
    counts, table = compare(tmp_path, "7", paper_rows=rows, absent_rows={"DOVER": "no package"})
    assert counts.kept == len(COLUMNS)
    notes = table[table["row"] == "DOVER"]["note"]
    assert set(notes) == {"no number of ours: no package"} and len(notes) == len(COLUMNS)
    assert set(table[table["row"] == "Subject Consistency"]["note"]) == {"no counterpart here"}


def test_cells_of_other_data_sets_are_cited_and_ours_are_compared(tmp_path):
    overview(tmp_path, "2")
    counts, table = compare(tmp_path, "2", cited=["VBench-I2V", "I2V-Bench", "AIGCBench"])
    assert (counts.kept, counts.rejected.total(), len(table)) == (16, 0, 16)
    ours = table[table["row"] == "TIP-Eval (Ours)"].set_index("column")
    assert ours.loc["Prompts", ["paper", "ours", "difference"]].tolist() == ["10,000", "2", "-9998"]
    assert ours.loc["Image source", ["ours", "difference"]].tolist() == ["Real users", ""]
    others = table[table["row"] != "TIP-Eval (Ours)"]
    assert (others["difference"] == "").all() and set(others["note"]) == {CITED}
