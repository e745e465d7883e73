"""Lineage, from the records that the jobs of a tiny real run of Snakemake left."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.commands.lineage import describe_lineage, main, place_of_run
from scripts.common.code import ROOT
from scripts.common.errors import UserError

SNAKEFILE = """
rule table:
    input: "results/metrics.txt"
    output: "results/table.txt"
    log: "logs/table.log"
    params: code="abc", top=3
    script: "work/table.py"

rule measure:
    input: expand("results/scores/{shard}.txt", shard=range(3)), "results/other.txt"
    output: "results/metrics.txt"
    log: "logs/measure.log"
    script: "work/measure.py"

rule score:
    input: "sources/channel.html"
    output: "results/scores/{shard}.txt"
    log: "logs/score/{shard}.log"
    script: "work/score.py"

rule other:
    input: "results/scores/0.txt"
    output: "results/other.txt"
    log: "logs/other.log"
    script: "work/other.py"
"""
SCRIPT = """
from pathlib import Path
from scripts.common.rule_log import rule_log

with rule_log(snakemake):
    Path(snakemake.output[0]).write_text(Path(snakemake.input[0]).read_text())
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A folder in which a workflow of six jobs ran, and Snakemake's own notes are gone."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "Snakefile").write_text(SNAKEFILE)
    for rule in ("table", "measure", "score", "other"):
        (folder / "work").mkdir(exist_ok=True)
        (folder / "work" / f"{rule}.py").write_text(SCRIPT)
    (folder / "sources").mkdir()
    (folder / "sources" / "channel.html").write_text("hello")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "results/table.txt"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    (folder / ".snakemake").rename(folder / "not-needed")
    return folder


def lines_of(target, run, **how):
    """Return a lineage without what differs from run to run."""
    lines = "\n".join(describe_lineage(target, run, **how)).replace(f"{run}/", "")
    return re.sub(r", \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "", lines).splitlines()


def test_the_chain_back_to_the_sources(run):
    assert lines_of("results/table.txt", run) == [
        "results/table.txt  (table)",
        "  code: work/table.py (checksum abc)",
        "  results/metrics.txt  (measure)",
        "    code: work/measure.py",
        "    results/scores/0.txt  (score)",
        "      code: work/score.py",
        "      sources/channel.html  (source)",
        "    ... and 2 more by score, alike: results/scores/1.txt ... results/scores/2.txt",
        "    results/other.txt  (other)",
        "      code: work/other.py",
        "      results/scores/0.txt  (score, see above)",
    ]


def test_what_a_job_leaves_on_record(run):
    """What it read and made, its settings and code as checksums, when, and how long it took."""
    record = json.loads((run / "logs/score/1.json").read_text())
    assert record["rule"] == "score" and record["wildcards"] == {"shard": "1"}
    assert record["inputs"] == ["sources/channel.html"]
    assert record["outputs"] == ["results/scores/1.txt"]
    assert record["finished"].startswith("20") and 0 <= record["seconds"] < 60
    table = json.loads((run / "logs/table.json").read_text())
    assert table["code"] == "abc" and table["settings"] != record["settings"]


def test_all_files_on_demand(run):
    lines = lines_of("results/table.txt", run, full=True)
    assert "    results/scores/2.txt  (score)" in lines
    assert not any("more by" in line for line in lines)


def test_when_a_file_was_made_and_that_it_is_gone(run):
    assert re.search(r"\(table, \d{4}-", next(describe_lineage("results/table.txt", run)))
    (run / "results" / "scores" / "2.txt").rename(run / "aside")
    try:
        lines = lines_of("results/table.txt", run, full=True)
        assert "    results/scores/2.txt  (score, not there any more)" in lines
    finally:
        (run / "aside").rename(run / "results" / "scores" / "2.txt")


def test_the_latest_record_of_a_file_counts(run):
    """A rule that was renamed leaves its old record."""
    record = json.loads((run / "logs/measure.json").read_text())
    old = record | {"rule": "old_name", "finished": "2001-01-01T00:00:00+00:00"}
    (run / "logs/old_name.json").write_text(json.dumps(old))
    assert "  results/metrics.txt  (measure)" in lines_of("results/table.txt", run)


def test_a_result_without_a_record_is_no_source(run):
    (run / "logs/other.json").rename(run / "aside")
    try:
        assert "    results/other.txt  (no record)" in lines_of("results/table.txt", run)
    finally:
        (run / "aside").rename(run / "logs/other.json")


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
