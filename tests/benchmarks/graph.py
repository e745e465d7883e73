"""The graph of the paper's size: what it takes to plan it, and to see all its jobs through.

The workflow is copied, and each script of a rule replaced by one that writes tiny files: what is
left is what Snakemake itself takes for each job. ``BENCH_JOBS`` says how many jobs there are at
least (shards are added until there are).
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

JOBS = int(os.environ.get("BENCH_JOBS", 5_000))
STAND_IN = """\
from pathlib import Path

for name in snakemake.output:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(b"made up")
"""


def run() -> dict:
    """Plan the paper's graph, then run one of at least ``JOBS`` jobs with stand-ins."""
    from tests.workflow.demo_copy import copy_workflow

    with tempfile.TemporaryDirectory() as folder:
        root = copy_workflow(Path(folder, "workflow"))
        place = _make_up_sources(Path(folder, "run"))
        planned_s, jobs, _ = _snakemake(root, place, "--dry-run", "--quiet", "reason")
        planned_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(
            f"the paper's graph: {jobs:,} jobs planned in {planned_s:.1f} s, {planned_mb:,.0f} MB"
        )
        for script in (root / "scripts").rglob("*.py"):
            if re.search(r"^if __name__.*\n(.*\n)*.*snakemake", script.read_text(), re.M):
                script.write_text(STAND_IN)
        start = root / "Snakefile"
        start.write_text(
            re.sub(r"(?m)^    refuse_missing_weights.*", "    pass", start.read_text())
        )
        more = _shards_for(JOBS, jobs)
        wide = root / "wide.yaml"
        wide.write_text(yaml.safe_dump(more))
        run_s, done, log = _snakemake(
            root, place, "--configfile", str(wide), "--quiet", "rules", "--cores", "2"
        )
        assert "(100%) done" in log or "100%" in log, log[-3000:]
        again_s, left, _ = _snakemake(root, place, "--configfile", str(wide), "--dry-run")
        files = sum(len(names) for _, _, names in os.walk(place / ".snakemake"))
        assert left == 0, f"{left} jobs are planned again"
    return {
        "ours": planned_s,
        "baseline": 20.0,
        "ratio": planned_s / 20.0,
        "unit": "seconds to plan the paper's graph, beside the 20 that are the aim",
        "what": f"the paper's {jobs:,} jobs planned; {done:,} jobs with stand-ins run to the end",
        "planned_jobs": jobs,
        "planned_mb": planned_mb,
        "simulated_jobs": done,
        "simulated_s": run_s,
        "s_per_job": run_s / done,
        "nothing_to_do_s": again_s,
        "files_of_snakemake": files,
    }


def _make_up_sources(place: Path) -> Path:
    """Return a working directory with an export and the outside sources, all empty."""
    from tests.sources.published import touch_sources

    touch_sources(place)
    exports = place / "data/exports"
    exports.mkdir(parents=True)
    (exports / "pika.html").touch()
    return place


def _shards_for(wanted: int, jobs: int) -> dict:
    """Return settings with so many shards more that there are about ``wanted`` jobs."""
    factor = max(1, -(-wanted // jobs))
    shards = {"curate": {"shards": 64 * factor}, "generate": {"shards": 128 * factor}}
    return shards | {"trace": {"reference_shards": 16 * factor}}


def _snakemake(root: Path, place: Path, *arguments: str) -> tuple[float, int, str]:
    """Return the seconds of a call, the number of jobs that it planned, and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--directory", str(place), "--nolock"]
    command += ["--cores", "2"] if "--cores" not in arguments else []
    began = time.perf_counter()
    answer = subprocess.run(
        [*command, *arguments], cwd=root, text=True, capture_output=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    seconds = time.perf_counter() - began
    text = answer.stdout + answer.stderr
    assert answer.returncode == 0, text[-3000:]
    found = re.search(r"^total +(\d+)", text, re.M)
    return seconds, int(found[1]) if found else 0, text
