"""The register of tables and figures, and all that comes from it."""

import re

import pytest

from scripts.analyse.registry import FIGURES, RESULTS, TABLES, closing_lines, results_of
from scripts.common.code import ROOT


@pytest.mark.parametrize("result", RESULTS.values(), ids=list(RESULTS))
def test_each_table_and_figure_has_its_script_a_caption_and_is_in_the_closing_lines(result):
    script = ROOT / f"scripts/analyse/{result.script}.py"
    assert f"run_job({result.script}, snakemake" in script.read_text()
    assert (ROOT / "rules" / result.caption).is_file()
    line = next(line for line in closing_lines("demo/results") if line.startswith(result.kind))
    assert bool(re.search(rf"[(,] ?{result.name}[,;]", line)) == (not result.switch)
    assert all(f".{form}" in line for form in result.forms)


def test_no_caption_is_without_its_result():
    captions = {path.stem for path in (ROOT / "rules/report").glob("*.rst")}
    assert captions == {result.name for result in RESULTS.values()} | {"workflow"}


def test_no_two_results_share_a_file():
    files = [file for result in RESULTS.values() for file in result.files.values()]
    assert len(files) == len(set(files))
    assert len({result.provenance for result in RESULTS.values()}) == len(RESULTS)


def test_tables_of_the_paper_have_its_numbers_and_targets_are_what_programs_read():
    numbers = [result.number for result in results_of(TABLES) if result.number]
    assert numbers == ["1", "2", "3", "4", "5", "7"]
    assert {(ROOT / f"config/paper/table{number}.csv").is_file() for number in numbers} == {True}
    assert {result.target.rpartition(".")[2] for result in results_of(TABLES)} == {"csv"}
    assert {result.target.rpartition(".")[2] for result in results_of(FIGURES)} == {"png"}


def test_the_demo_ends_by_saying_where_all_lies():
    tables, figures = closing_lines("demo/results")
    assert tables.startswith(
        "tables:  demo/results/tables/  (table1, table2, table3, table4, table5, table7, "
    )
    assert figures.endswith("; .png .pdf)")


def test_the_readme_promises_what_is_registered():
    """Its first paragraph names the paper's tables and figures one by one."""
    first = " ".join((ROOT / "README.md").read_text().partition("```")[0].split())
    for kind, word in ((TABLES, "Tables"), (FIGURES, "Figures")):
        names = [re.fullmatch(rf"{word[:-1]} (\d+)", result.title) for result in results_of(kind)]
        numbers = [match[1] for match in names if match]
        assert f"{word} {', '.join(numbers[:-1])} and {numbers[-1]}" in first
