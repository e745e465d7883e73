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
    provenance_of,
    record_job,
)


class Named(list):
    """Files of a rule, some of which have names, as Snakemake gives them."""

    def __init__(self, *files, **named):
        super().__init__([*files, *named.values()])
        self.__dict__.update(named)

    def items(self):
        return self.__dict__.items()


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


@pytest.fixture
def job(tmp_path):
    """The object that Snakemake gives a script, of a job that is done."""
    (tmp_path / "metrics.parquet").write_bytes(b"numbers")
    (tmp_path / "table5.csv").write_bytes(b"table")
    weights = {"hub": "org/model", "revision": "abc"}
    return SimpleNamespace(
        rule="build_table5",
        scriptdir=str(ROOT / "scripts/analyse"),
        log=[str(tmp_path / "logs/build_table5.log")],
        wildcards={},
        input=Named(metrics=str(tmp_path / "metrics.parquet")),
        output=Named(
            csv=str(tmp_path / "table5.csv"),
            provenance=str(tmp_path / "table5.provenance.json"),
        ),
        params={
            "code": "0123",
            "tracers": [{"entry": "dinov2", "weights": weights}, {"entry": "hash", "weights": {}}],
            "cosface": {"entry": "vit", "weights": {"package": "timm"}},
            "script": "build_table",
            "seed": 7,
        },
    )


def test_a_result_s_whole_story_lies_beside_it(job, tmp_path):
    record_job(job, 1.0)
    record = json.loads((tmp_path / "table5.provenance.json").read_text())
    assert record["describes"] == {"table5.csv": sha256_of(b"table")}
    assert record["inputs"] == {str(tmp_path / "metrics.parquet"): sha256_of(b"numbers")}
    script = ROOT / "scripts/analyse/build_table.py"
    assert record["code"]["modules"]["scripts/analyse/build_table.py"] == sha256_of(script)
    assert "scripts/common/tables.py" in record["code"]["modules"]
    assert record["code"] | code_version() == record["code"]
    assert record["settings"] == job.params
    assert record["seeds"] == {"seed": 7}
    assert record["packages"]["pyarrow"].count(".") >= 1
    assert "cores" in record["device"] and record["python"].startswith("3.")
    assert str(ROOT) not in json.dumps(record).replace(str(tmp_path), "")


def test_weights_are_found_wherever_an_entry_lies_among_the_parameters(job):
    found = provenance_of(job)["weights"]
    hub = {"hub": "org/model", "revision": "abc"}
    assert found == {"dinov2": hub, "hash": {}, "vit": {"package": "timm"}}


def test_a_record_tells_other_settings_apart_and_not_other_code(job, tmp_path):
    """Code has a checksum of its own."""
    records = []
    for change in ({}, {"seed": 8}, {"code": "4567"}):
        job.params |= change
        record_job(job, 61.04)
        records.append(json.loads((tmp_path / "logs/build_table5.json").read_text()))
    first, other_seed, other_code = records
    assert first["settings"] != other_seed["settings"] == other_code["settings"]
    assert first["code"] == other_seed["code"] != other_code["code"]
    assert first["script"] == "scripts/analyse/build_table.py" and first["seconds"] == 61.0


def test_versions_are_those_of_the_packages_that_the_project_asks_for():
    versions = package_versions()
    assert {"pandas", "pyarrow", "snakemake"} <= set(versions)
    assert "pip" not in versions


def test_the_device_is_told_without_a_graphics_card(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert describe_device().endswith("cores")
