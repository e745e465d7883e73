"""What profiles say to Snakemake does what they say it does."""

import os
import re
import subprocess
import sys
import time

import pytest

from scripts.common.code import ROOT

SNAKEFILE = """
rule measure:
    input:
        tar=ancient("videos.tar"),
        index="videos.parquet",
    output:
        expand("{number}.txt", number=range(3)),
    shell:
        "touch {output}"
"""


@pytest.fixture
def large(tmp_path):
    """A workflow that reads a tar of a terabyte (of holes, so that no disk need hold it)."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "videos.parquet").write_bytes(b"checksums")
    with open(tmp_path / "videos.tar", "wb") as tar:
        tar.truncate(2**40)
    return tmp_path


def snakemake(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--directory", str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


def test_a_large_tar_is_not_hashed_and_its_index_is(large):
    """A terabyte three times, once for each output, would take more than an hour."""
    began = time.monotonic()
    assert snakemake(large).returncode == 0
    assert time.monotonic() - began < 200
    os.utime(large / "videos.tar")
    os.utime(large / "videos.parquet")
    answer = snakemake(large, "--dry-run")
    assert "Nothing to be done" in answer.stdout + answer.stderr
    (large / "videos.parquet").write_bytes(b"others")
    assert "measure" in snakemake(large, "--dry-run").stdout


def test_nothing_reads_what_snakemake_notes_for_itself():
    """Its records change from version to version; a lock alone is looked for, to say who runs."""
    read = set()
    for path in (file for room in ("scripts", "rules") for file in (ROOT / room).rglob("*.[ps]*")):
        if path.suffix in {".py", ".smk"}:
            read |= set(re.findall(r"\.snakemake/?\w*", path.read_text()))
    assert read == {".snakemake/locks"}
