"""The demo's graph through a real Slurm: ``make test-slurm``; half an hour, nothing is left running."""

import contextlib
import filecmp
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.slurm.cluster import running_cluster
from tests.workflow.demo_copy import Workflow, copy_workflow

TABLE = "results/tables/table5.csv"
# The demo's channel, and what this cluster of one machine needs: no database, short waits, no more
# memory than there is. One rule that needs no card asks for one, to be sent where cards are.
HERE = [
    "--configfile", "config/demo.yaml",
    "--directory", "demo",
    "--jobs", "4",
    "--max-threads", "2",
    "--latency-wait", "10",
    "--seconds-between-status-checks", "2",
    "--slurm-init-seconds-before-status-checks", "2",
    "--slurm-status-command", "squeue",
    "--slurm-no-account",
    "--set-resources", "decode_frames:gpu=1",
]  # fmt: skip
PARTITIONS = """\
partitions:
  cpu: {max_threads: 2}
  gpu: {max_threads: 2, max_gpu: 2}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with running_cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def local_table(tmp_path_factory):
    """Table 5 of a run without Slurm."""
    if finished := os.environ.get("TIP_I2V_DEMO"):
        return Workflow(Path(finished)).results / "tables/table5.csv"
    workflow = Workflow(copy_workflow(tmp_path_factory.mktemp("local")))
    run = workflow.snakemake(TABLE, "--quiet", "rules", show=True)
    assert run.returncode == 0
    return workflow.results / "tables/table5.csv"


@pytest.fixture
def copy(tmp_path):
    workflow = Workflow(copy_workflow(tmp_path / "workflow"))
    (workflow.root / "demo").mkdir()
    (workflow.root / "partitions.yaml").write_text(PARTITIONS)
    return workflow


def start(workflow, *arguments):
    """Start exactly the README's command, and what this cluster needs after it."""
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", TABLE, *HERE, *arguments]
    # Looked for from the workflow's folder, and once more from that of the results.
    command += ["--slurm-partition-config", str(workflow.root / "partitions.yaml")]
    with open(workflow.root / "run.log", "ab") as log:
        return subprocess.Popen(command, cwd=workflow.root, stdout=log, stderr=log)


def test_the_table_is_that_of_a_local_run_though_a_node_and_a_job_were_killed(
    cluster, copy, local_table
):
    killed = {"node": 0, "job": 0}

    def harm():
        """Kill a node in the middle of its work, start it again, and then a job on another."""
        _await(lambda: "gpu1" in cluster.running().values())
        cluster.kill_node("gpu1")
        killed["node"] += 1
        time.sleep(5)
        cluster.start_node("gpu1")
        _await(lambda: "cpu1" in cluster.running().values())
        job = next(job for job, node in cluster.running().items() if node == "cpu1")
        subprocess.run(["scancel", "--signal=KILL", "--full", job], check=True)
        killed["job"] += 1

    threading.Thread(target=harm, daemon=True).start()
    began = time.monotonic()
    run = start(copy)
    assert run.wait(timeout=6000) == 0, (copy.root / "run.log").read_text()[-4000:]
    seconds = time.monotonic() - began
    log = (copy.root / "run.log").read_text()
    assert killed == {"node": 1, "job": 1}
    assert filecmp.cmp(copy.results / "tables/table5.csv", local_table, shallow=False)
    assert "Auto-selected partition 'gpu' for job decode_frames" in log
    logs = list((copy.root / "demo/logs/slurm").rglob("*.log"))
    assert len(logs) > 10, "logs of jobs that succeed are kept"
    print(f"\n{len(logs)} jobs through Slurm in {seconds:.0f} s, one node and one job killed")


def _await(is_so, seconds=3000):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(subprocess.CalledProcessError):  # of a controller at its limit
            if is_so():
                return
        time.sleep(0.5)
