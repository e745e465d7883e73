"""The graph of the paper's size: what it takes to plan it, and to see all its jobs through.

The workflow is copied, and the script of each rule replaced by copies of tiny valid files to its
outputs: what is left is what Snakemake itself takes for each job. ``BENCH_JOBS`` says how many jobs
there are at least (shards are added until there are).
"""

import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image
from safetensors.numpy import save_file

from scripts.common.ledger import SMALL_PARTS
from tests.sources.published import touch_sources
from tests.workflow.demo_copy import copy_workflow

JOBS = int(os.environ.get("BENCH_JOBS", 5_000))
TEXTS = ("csv", "json", "jsonl", "ndjson", "md", "tex", "html", "zip", "sha256")
FORMS = (*TEXTS, "parquet", "safetensors", "tar", "pdf", "png")
"""Endings of what the graph's jobs make."""
LEDGERS = {
    "fetch_videos": (1, 0), "extract_images": (1, 0), "generate_videos": (1, 0),
    "index_source": (2, 2_000_000), "score_watermarks": (1, 1_700_000),
    "annotate_pictures": (2, 3_400_000), "annotate_texts": (1, 1_700_000),
    "ask_embeddings": (1, 1_700_000), "fetch_batches": (1, 3_400_000),
    "merge_subjects": (1, 300_000), "embed_outside_prompts": (3, 900_000),
    "score_videos": (15, 750_000), "score_frames": (12, 1_100_000), "classify_videos": (10, 500_000),
    "extract_features": (180, 2_000_000), "extract_reference_features": (18, 18_000_000),
    "extract_trained_features": (60, 700_000), "extract_trained_reference_features": (6, 6_000_000),
    "match_queries": (12, 0), "train_cosface": (1, 0), "train_videomae": (1, 0),
}  # fmt: skip
"""Rule -> the ledgers of one of its jobs, and the rows of all of them at the paper's size."""
LEDGER_FILES = SMALL_PARTS - 1 + 4
"""Of a ledger whose job was killed twice: small parts, finished table, versions, faults, a segment."""
PART_ROWS = 1_000
GENERATORS = 10
"""Of the widest graph, which also has every dimension, detector and tracer of the sheets."""


def run() -> dict:
    """Plan the paper's graph and the widest, then run one of at least ``JOBS`` jobs."""
    with tempfile.TemporaryDirectory() as folder:
        root = copy_workflow(Path(folder, "workflow"))
        place = _make_up_sources(Path(folder, "run"))
        dry = ("--dry-run", "--quiet", "reason")
        planned_s, jobs, plan = call_snakemake(root, place, *dry)
        planned_mb = _peak_mb()
        planned_cpu_s = _used().ru_utime
        print(f"the paper's graph: {jobs:,} jobs, {planned_s:.1f} s, {planned_mb:,.0f} MB")
        files_of_ledgers = most_files_of_ledgers(plan)
        print(f"files of its ledgers, every job stopped half-way: {files_of_ledgers:,} at most")
        widest = _widest(root)
        widest_s, widest_jobs, _ = call_snakemake(root, place, *dry, "--configfile", str(widest))
        widest_mb, widest_cpu_s = _peak_mb(), _used().ru_utime - planned_cpu_s
        print(f"the widest: {widest_jobs:,} jobs, {widest_s:.1f} s, {widest_mb:,.0f} MB")
        put_stand_ins_in_place(root)
        configured = _enough_shards(root, place, jobs)
        before_s = _used().ru_utime + _used().ru_stime
        run_s, done, log = call_snakemake(root, place, *configured, "--quiet", "rules")
        run_cpu_s = _used().ru_utime + _used().ru_stime - before_s
        assert "(100%) done" in log, log[-3000:]
        again_s, _, log = call_snakemake(root, place, *configured)
        assert "Nothing to be done" in log, log[-3000:]
        metadata, files = (
            sum(len(names) for _, _, names in os.walk(folder))
            for folder in (place / ".snakemake", place)
        )
    return {
        "ours": planned_s,
        "baseline": 20.0,
        "ratio": planned_s / 20.0,
        "unit": "seconds to plan the paper's graph, beside the 20 that are the aim",
        "what": f"the paper's {jobs:,} jobs planned; {done:,} jobs with stand-ins run to the end",
        "planned_jobs": jobs,
        "planned_cpu_s": planned_cpu_s,
        "planned_mb": planned_mb,
        "widest_jobs": widest_jobs,
        "widest_s": widest_s,
        "widest_cpu_s": widest_cpu_s,
        "widest_mb": widest_mb,
        "simulated_jobs": done,
        "simulated_s": run_s,
        "simulated_cpu_s": run_cpu_s,
        "cpu_s_per_job": run_cpu_s / done,
        "jobs_per_s": done / run_s,
        "nothing_to_do_s": again_s,
        "files_of_snakemake": metadata,
        "files_of_ledgers": files_of_ledgers,
        "files": files,
    }


def most_files_of_ledgers(plan: str) -> int:
    """Return how many files the ledgers of all planned jobs have at most, whatever was killed."""
    jobs = {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", plan, re.M)}
    return sum(
        jobs[rule] * ledgers * LEDGER_FILES + rows // PART_ROWS
        for rule, (ledgers, rows) in LEDGERS.items()
    )


def _used() -> resource.struct_rusage:
    """Return what all calls of Snakemake took so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def _peak_mb() -> float:
    """Return the most memory that any call took, in 10^6 bytes."""
    return _used().ru_maxrss * 1024 / 1e6


def _widest(root: Path) -> Path:
    """Return a configuration with ten generators, and all that the sheets have."""
    sheet = root / "config/generators.yaml"
    generators = yaml.safe_load(sheet.read_text())
    names = [f"like_svd_{number}" for number in range(GENERATORS - 1)]
    copies = {name: generators["svd"] | {"label": name} for name in names}
    sheet.write_text(sheet.read_text() + yaml.safe_dump(copies))
    config: dict = {"generate": {"generators": ["pika", *names]}}
    for stage, key in (("evaluate", "dimensions"), ("detect", "detectors"), ("trace", "tracers")):
        entries = yaml.safe_load((root / f"config/{key}.yaml").read_text())
        trained = {name for name, entry in entries.items() if "training" in str(entry)}
        can = [
            name
            for name, entry in entries.items()
            if entry.keys() & {"backend", "compares"} == {"backend"}
        ]
        config[stage] = {key: [name for name in can if name not in trained]}
    path = root / "widest.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def put_stand_ins_in_place(root: Path) -> None:
    """Let each rule copy its outputs, and nothing look at models or at what came of the run."""
    stand_ins = root / "stand_ins"
    stand_ins.mkdir()
    for form in TEXTS:
        (stand_ins / f"a.{form}").write_text("{}\n")
    pq.write_table(pa.table({"uuid": pa.array([], pa.string())}), stand_ins / "a.parquet")
    save_file({}, stand_ins / "a.safetensors")
    tarfile.open(stand_ins / "a.tar", "w").close()
    for form in ("pdf", "png"):
        Image.new("RGB", (1, 1)).save(stand_ins / f"a.{form}")
    made = f'*.*) cp {stand_ins}/a.${{{{file##*.}}}} "$file";; *SUMS) touch $file'
    copied = f'for file in {{output:q}}; do case "$file" in {made};; *) mkdir $file;; esac; done'
    for file in (root / "rules").glob("*.smk"):
        text = re.sub(r"(?m)^( +)script:\n +.*$", rf"\1shell:\n\1    '{copied}'", file.read_text())
        file.write_text(text)
    start = root / "Snakefile"
    told = r"(?m)^    (refuse_missing_weights|recall_removals|tell_what_came_of_it).*"
    start.write_text(re.sub(told, "    pass", start.read_text()))


def _make_up_sources(place: Path) -> Path:
    """Return a working directory with an export and the outside sources, all empty."""
    touch_sources(place)
    exports = place / "data/exports"
    exports.mkdir(parents=True)
    (exports / "pika.html").touch()
    return place


def _enough_shards(root: Path, place: Path, jobs: int) -> tuple[str, str]:
    """Return arguments that configure so many shards more that there are at least ``JOBS`` jobs."""
    factor, large = 1, root / "large.yaml"
    while jobs < JOBS or not large.exists():
        factor += jobs < JOBS
        shards = {"curate": {"shards": 64 * factor}, "generate": {"shards": 128 * factor}}
        large.write_text(yaml.safe_dump(shards | {"trace": {"reference_shards": 16 * factor}}))
        _, jobs, _ = call_snakemake(
            root, place, "-n", "--quiet", "reason", "--configfile", str(large)
        )
    return "--configfile", str(large)


def call_snakemake(root: Path, place: Path, *arguments: str) -> tuple[float, int, str]:
    """Return the seconds of a call, the number of jobs that it planned, and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--directory", str(place), "--nolock"]
    command += ["--cores", "2"]
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
