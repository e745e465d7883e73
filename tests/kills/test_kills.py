"""The demo killed at random moments, and started again: ``make test-kills`` (KILLS=30 SEED=1).

Each start goes on by itself where the last one stood, and in the end tables, data set, videos and
all else that is measured have the bytes of a run that nobody disturbed.
"""

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from scripts.common.code import ROOT
from scripts.common.fingerprints import sha256_of
from tests.workflow.demo_copy import Workflow, copy_workflow

KILLS = int(os.environ.get("KILLS", 30))
SEED = int(os.environ.get("SEED", 1))
START_S = 10
"""What a start takes until jobs run: as long again is added to each life, or nothing would be done."""
COMPARED = ("*.csv", "*.jsonl", "*.parquet", "*.safetensors", "*.tar")


def demo_copy(root: Path) -> Workflow:
    copy_workflow(root)
    (root / ".venv").symlink_to(ROOT / ".venv")
    return Workflow(root)


def start(workflow: Workflow) -> subprocess.Popen:
    with (workflow.root / "output.txt").open("ab") as output:
        return subprocess.Popen(
            ["make", "--old-file", ".venv/installed", "demo"],
            cwd=workflow.root,
            start_new_session=True,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def kill_all(workflow: Workflow) -> None:
    """Kill whatever works in the copy, until nothing does: as when the machine stops."""
    while found := [process for process in psutil.process_iter() if works_in(process, workflow)]:
        for process in found:
            process.kill()
        psutil.wait_procs(found, timeout=10)


def works_in(process: psutil.Process, workflow: Workflow) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(
            workflow.root
        )
    except (psutil.Error, FileNotFoundError):
        return False


def checksums(workflow: Workflow) -> dict[str, str]:
    """Return what must be the same: all tables and tars but what ledgers and logs hold.

    And but the account of how videos were found, which says of some that an earlier run did.
    """
    results = workflow.results
    return {
        path.relative_to(results).as_posix(): sha256_of(path)
        for kind in COMPARED
        for path in results.rglob(kind)
        if ".ledger" not in path.parts and not path.is_relative_to(results / "rejects/videos")
    }


def must_have_ended_well(workflow: Workflow, process: subprocess.Popen, wanted: dict) -> None:
    said = (workflow.root / "output.txt").read_text(errors="replace")[-3000:]
    assert process.wait() == 0, said
    found = checksums(workflow)
    assert set(found) == set(wanted)
    assert [name for name in wanted if found[name] != wanted[name]] == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The checksums of a run that nobody disturbed, and the seconds that it took."""
    if finished := os.environ.get("TIP_I2V_DEMO"):
        workflow = Workflow(Path(finished))
        times = [path.stat().st_mtime for path in (workflow.root / "demo/logs").rglob("*.log")]
        return checksums(workflow), max(times) - min(times)
    workflow = demo_copy(tmp_path_factory.mktemp("undisturbed"))
    began = time.monotonic()
    process = start(workflow)
    assert process.wait() == 0, (workflow.root / "output.txt").read_text()[-3000:]
    return checksums(workflow), time.monotonic() - began


def test_a_demo_killed_at_any_moment_goes_on_to_the_same_bytes(undisturbed, tmp_path):
    wanted, seconds = undisturbed
    assert wanted
    workflow, chance, killed = demo_copy(tmp_path / "killed"), random.Random(SEED), 0
    try:
        while killed < KILLS:
            process = start(workflow)
            life = chance.uniform(0, 2 * (seconds / KILLS + START_S))
            try:
                process.wait(life)
            except subprocess.TimeoutExpired:
                kill_all(workflow)
                process.wait()
                killed += 1
                print(f"kill {killed} of {KILLS} after {life:.0f} s", flush=True)
            else:  # it was done before its next end: all again
                must_have_ended_well(workflow, process, wanted)
                shutil.rmtree(workflow.root / "demo")
        must_have_ended_well(workflow, start(workflow), wanted)
    finally:
        kill_all(workflow)
