"""What a stage made, put into a fresh clone, is enough to go on from there: README's own table."""

import os
import re
import shutil
from pathlib import Path

import pytest

from scripts.common.code import ROOT
from scripts.common.study import STAGES
from tests.workflow.demo_copy import Workflow, copy_workflow

pytestmark = pytest.mark.demo

ROOMS = {"detect_bias": "detect", "trace_rerank": "trace", "analyse_prompts": "analyse"}
ROOMS |= {"sources": "split", "publish_gallery": "publish", "collect": "publish"}
"""Files of rules that are not called as their stage."""


def rows():
    """Return README's rows: the first stage, what must lie under results/, what can be made."""
    section = (ROOT / "README.md").read_text().split("\n## Start at any stage\n")[1]
    lines = [line.split("|") for line in section.split("\n## ")[0].splitlines() if "| `" in line]
    cells = [[re.findall(r"`([^`]+)`", cell) for cell in line[1:4]] for line in lines]
    return [(stage, given, made) for [stage], given, made in cells[1:]]  # without the header


def stage_of(rule):
    """Return in which stage's file a rule stands."""
    for file in (ROOT / "rules").glob("*.smk"):
        if re.search(rf"rule {rule}:|rule \w+ as {rule} with:", file.read_text()):
            return ROOMS.get(file.stem, file.stem)
    return "analyse"  # a table or a figure: made by a loop over the registry


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Workflow:
    return Workflow(copy_workflow(tmp_path_factory.mktemp("clone")))


def begin(clone, demo, stage, given, tmp_path):
    """Put into an empty folder what others made; return arguments that start there.

    All of it is older than the clone, and of one date: nothing is to be judged by that.
    """
    for name in given:
        source, target = demo.results / name, tmp_path / "results" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, target)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return ["--directory", str(tmp_path), "--config", f"start={stage}"]


def test_every_stage_but_the_first_and_the_last_can_be_the_first():
    assert [stage for stage, _, _ in rows()] == list(STAGES[1:-1])


@pytest.mark.parametrize(("stage", "given", "made"), rows())
def test_what_the_table_says_is_enough(clone, demo, tmp_path, stage, given, made):
    arguments = begin(clone, demo, stage, given, tmp_path)
    made = [name for name in made if Path(name).suffix]
    rules = {job.rule for job in clone.plan(*made, *arguments)}
    before = STAGES[: STAGES.index(stage)]
    assert rules and not {rule for rule in rules if stage_of(rule) in before}
    assert {"make_demo_channel", "make_demo_sources"}.isdisjoint(rules) or stage in STAGES[:4]


def test_the_tables_from_what_was_measured_elsewhere(clone, demo, tmp_path):
    [(stage, given, made)] = [row for row in rows() if row[0] == "analyse"]
    answer = clone.snakemake(*made, *begin(clone, demo, stage, given, tmp_path))
    assert answer.returncode == 0, answer.stdout[-3000:]
    for name in (name for name in made if name.endswith(".csv")):
        assert (tmp_path / name).read_bytes() == (demo.root / "demo" / name).read_bytes(), name


def test_what_is_not_given_is_named(clone, demo, tmp_path):
    arguments = begin(clone, demo, "trace", [], tmp_path)
    answer = clone.snakemake("results/tables/table3.csv", *arguments, "--dry-run")
    assert answer.returncode
    assert re.search(r"Missing input files.*results/detect/metrics\.parquet", answer.stdout, re.S)
