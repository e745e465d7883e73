"""Provenance: the file beside a result tells code, settings, inputs, versions, seeds, weights."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from scripts.common.code import ROOT
from scripts.common.fingerprints import sha256_of
from scripts.common.provenance import (
    UNKNOWN,
    code_version,
    describe_device,
    package_versions,
    record_job,
    write_provenance,
)


class Named(list):
    """Files of a rule, some of which have names, as Snakemake gives them."""

    def __init__(self, *files, **named):
        super().__init__([*files, *named.values()])
        self.__dict__.update(named)


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def clone(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "Snakefile").write_text("rule all:\n")
    git(tmp_path, "add", "Snakefile")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_the_commit_and_whether_the_code_differs_from_it(clone):
    first = code_version(clone)
    assert len(first["commit"]) == 40 and first["dirty"] is False
    (clone / "results.txt").write_text("not tracked, so no change of the code")
    assert code_version(clone) == first
    (clone / "Snakefile").write_text("rule other:\n")
    assert code_version(clone) == first | {"dirty": True}


def test_outside_a_clone_the_commit_is_unknown(clone, tmp_path_factory):
    unknown = {"commit": UNKNOWN, "dirty": None}
    assert code_version(tmp_path_factory.mktemp("unpacked")) == unknown
    inside = clone / "unpacked"
    inside.mkdir()
    assert code_version(inside) == unknown, "a commit of somebody else's repository"


def test_without_git_the_commit_is_unknown(clone, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert code_version(clone) == {"commit": UNKNOWN, "dirty": None}


def test_what_is_written(tmp_path):
    metrics, table = tmp_path / "metrics.parquet", tmp_path / "table5.csv"
    metrics.write_bytes(b"numbers")
    table.write_bytes(b"table")
    script = ROOT / "scripts" / "common" / "errors.py"
    write_provenance(
        tmp_path / "table5.provenance.json",
        inputs=[metrics, script],
        outputs=[table],
        settings={"generators": ["pika"], "seed": 7},
        weights={"sscd": {"url": "https://example.org/x.pt"}},
        seeds={"seed": 7},
    )
    record = json.loads((tmp_path / "table5.provenance.json").read_text())
    assert record["describes"] == {"table5.csv": sha256_of(b"table")}
    assert record["inputs"] == {str(metrics): sha256_of(b"numbers")}
    assert record["code"]["modules"] == {"scripts/common/errors.py": sha256_of(script)}
    assert record["code"] | code_version() == record["code"]
    assert record["settings"] == {"generators": ["pika"], "seed": 7}
    assert record["weights"]["sscd"]["url"].endswith("x.pt")
    assert record["seeds"] == {"seed": 7}
    assert record["packages"]["pyarrow"].count(".") >= 1
    assert "cores" in record["device"] and record["python"].startswith("3.")
    assert str(ROOT) not in (tmp_path / "table5.provenance.json").read_text().replace(
        str(metrics), ""
    )


def test_a_job_tells_its_own_story(tmp_path):
    """Weights are found wherever an entry lies among the parameters, the seed by its name."""
    (tmp_path / "in.parquet").write_bytes(b"in")
    (tmp_path / "t.csv").write_bytes(b"out")
    weights = {"hub": "org/model", "revision": "abc"}
    job = SimpleNamespace(
        input=Named(metrics=str(tmp_path / "in.parquet")),
        output=Named(csv=str(tmp_path / "t.csv"), provenance=str(tmp_path / "t.provenance.json")),
        params={
            "tracers": [{"entry": "dinov2", "weights": weights}, {"entry": "hash", "weights": {}}],
            "cosface": {"entry": "vit", "weights": {"package": "timm"}},
            "seed": 3,
        },
    )
    record_job(job)
    record = json.loads((tmp_path / "t.provenance.json").read_text())
    assert record["weights"] == {"dinov2": weights, "hash": {}, "vit": {"package": "timm"}}
    assert record["seeds"] == {"seed": 3}
    assert list(record["describes"]) == ["t.csv"]


def test_versions_are_those_of_the_packages_that_the_project_asks_for():
    versions = package_versions()
    assert {"pandas", "pyarrow", "snakemake"} <= set(versions)
    assert "pip" not in versions


def test_the_device_is_told_without_a_graphics_card(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert describe_device().endswith("cores")
