"""Lineage, from the records of a tiny real run of Snakemake."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.lineage import describe_lineage, main, place_of_run

SNAKEFILE = f"""
LONG = "a-name-that-is-too-long-for-one-file-of-records-" * 4

rule table:
    input: "results/metrics.txt", code="{ROOT}/scripts/common/errors.py"
    output: "results/table.txt"
    shell: "cat {{input[0]}} > {{output}}"

rule measure:
    input: expand("results/scores/{{shard}}.txt", shard=range(3)), "results/" + LONG + ".txt"
    output: "results/metrics.txt"
    shell: "cat {{input}} > {{output}}"

rule score:
    input: "sources/channel.html"
    output: "results/scores/{{shard}}.txt"
    shell: "cp {{input}} {{output}}"

rule long:
    input: "results/scores/0.txt"
    output: "results/" + LONG + ".txt"
    shell: "cp {{input}} {{output}}"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A folder in which a workflow of six jobs ran."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "sources").mkdir()
    (folder / "sources" / "channel.html").write_text("hello")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "results/table.txt"]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return folder


def without_times(lines):
    return [re.sub(r", \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "", line) for line in lines]


def test_the_chain_back_to_the_sources(run):
    long = "results/" + "a-name-that-is-too-long-for-one-file-of-records-" * 4 + ".txt"
    assert without_times(describe_lineage("results/table.txt", run)) == [
        "results/table.txt  (table)",
        "  code: scripts/common/errors.py",
        "  results/metrics.txt  (measure)",
        f"    {long}  (long)",
        "      results/scores/0.txt  (score)",
        "        sources/channel.html  (source)",
        "    results/scores/0.txt  (score, see above)",
        "    ... and 2 more by score, alike: results/scores/1.txt ... results/scores/2.txt",
    ]


def test_all_files_on_demand(run):
    lines = without_times(describe_lineage("results/table.txt", run, full=True))
    assert "    results/scores/2.txt  (score)" in lines
    assert not any("more by" in line for line in lines)


def test_when_a_file_was_made_and_that_it_is_gone(run):
    assert re.search(r"\(table, \d{4}-", next(describe_lineage("results/table.txt", run)))
    (run / "results" / "scores" / "2.txt").rename(run / "aside")
    try:
        lines = without_times(describe_lineage("results/table.txt", run, full=True))
        assert "    results/scores/2.txt  (score, not there any more)" in lines
    finally:
        (run / "aside").rename(run / "results" / "scores" / "2.txt")


def test_the_place_of_the_run_is_found(run, monkeypatch, capsys):
    monkeypatch.chdir(run.parent)
    seen_from_here = f"{run.name}/results/table.txt"
    assert place_of_run(seen_from_here, None) == (Path(run.name), "results/table.txt")
    assert place_of_run(seen_from_here, Path(run.name)) == (Path(run.name), "results/table.txt")
    assert place_of_run("results/table.txt", Path(run.name))[1] == "results/table.txt"
    assert main([seen_from_here]) == 0
    assert capsys.readouterr().out.startswith("results/table.txt  (table, ")


def test_what_the_workflow_did_not_make_is_a_clear_error(run, monkeypatch, capsys):
    with pytest.raises(UserError, match=r"sources/channel.html has no record"):
        list(describe_lineage("sources/channel.html", run))
    monkeypatch.chdir(run.parent)
    assert main(["results/table.txt"]) == 1
    error = capsys.readouterr().err
    assert "no workflow ran" in error and f"did you mean {run.name}/results/table.txt?" in error
    assert main(["results/table.txt", "--directory", "nowhere"]) == 1
    assert "nowhere has no record of a run" in capsys.readouterr().err


def test_a_record_that_is_being_written_does_not_stop_it(run):
    records = list((run / ".snakemake" / "metadata").iterdir())
    record = next(
        path
        for path in records
        if path.is_file() and json.loads(path.read_text())["rule"] == "measure"
    )
    text = record.read_text()
    record.write_text(text[:20])
    try:
        lines = without_times(describe_lineage("results/table.txt", run))
        assert lines[2] == "  results/metrics.txt  (source)"
    finally:
        record.write_text(text)
