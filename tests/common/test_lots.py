"""A rule's job makes one lot or all of them; the function of its script makes one."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, ResourceList, Wildcards

from scripts.common.job import run_job
from scripts.common.lots import Lots
from scripts.common.rule_log import Counts

LOTS = Lots(
    wildcards=[{"source": "pika"}, {"source": "svd"}],
    files={"split": "{source}.out"},
    inputs=lambda lot: {"indexes": [f"{lot.source}.in", "all.in"], "chosen": []},
    settings=lambda lot: {"label": lot.source.upper()},
)
TOGETHER = replace(LOTS, together=True)
SVD = {
    "source": "svd",
    "indexes": ["svd.in", "all.in"],
    "chosen": [],
    "label": "SVD",
    "split": "svd.out",
}


def of(**wildcards):
    return Wildcards(fromdict=wildcards)


def test_a_job_for_each_lot():
    assert LOTS.outputs == {"split": "{source}.out"}
    assert LOTS.log("logs/split") == "logs/split/{source}"
    assert LOTS.reads(of(source="svd")) == ["svd.in", "all.in"]
    assert LOTS.arguments(of(source="svd")) == [SVD]


def test_one_job_for_all_lots():
    assert TOGETHER.outputs == {"split": ["pika.out", "svd.out"]}
    assert TOGETHER.log("logs/split") == "logs/split"
    assert TOGETHER.reads(of()) == ["pika.in", "all.in", "svd.in"]
    assert [lot["label"] for lot in TOGETHER.arguments(of())] == ["PIKA", "SVD"]
    assert TOGETHER.arguments(of())[1] == SVD


@pytest.mark.parametrize(("lots", "wildcards"), [(LOTS, {"source": "svd"}), (TOGETHER, {})])
def test_the_function_is_called_for_each_lot_of_a_job(lots, wildcards, tmp_path, monkeypatch):
    """With paths where it takes them, what all lots share, and counts that add up."""
    monkeypatch.chdir(tmp_path)

    def split(indexes: list[Path], split: Path, chosen: Path | None, *, label: str, seed: int):
        split.write_text(f"{label} {seed} {chosen} {[path.name for path in indexes]}")
        return Counts(kept=len(indexes), declared=3)

    known = lots.arguments(of(**wildcards))
    job = SimpleNamespace(
        rule="split",
        scriptdir=str(tmp_path),
        input=InputFiles(fromdict={"files": lots.reads(of(**wildcards))}),
        output=OutputFiles([lot["split"] for lot in known]),
        params=Params(fromdict={"code": "abc", "lots": known, "seed": 7}),
        wildcards=of(**wildcards),
        resources=ResourceList(fromdict={}),
        log=Log(["split.log"]),
        threads=1,
    )
    run_job(split, job)
    assert Path("svd.out").read_text() == "SVD 7 None ['svd.in', 'all.in']"
    assert Path("pika.out").exists() == (lots is TOGETHER)
    number = len(known)
    closing = f"read {3 * number} = kept {2 * number} + rejected 0 + missing {number}"
    assert Path("split.log").read_text().strip().endswith(closing)
