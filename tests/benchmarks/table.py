"""The whole data set at the paper's size: unique prompts, all annotations joined, all written.

1.7 million unique prompts are made up (`BENCH_TABLE_ROWS` for another size): their messages in
overlapping exports, with retries, and their annotations, embeddings of 384 and 512 float16
included. Two cores go from there to the data set with its embeddings, by the functions of the
rules; the pictures' bytes are left out. Beside it, pandas does the same as one would in a notebook,
with a twentieth of the rows: with all of them it would not fit in memory.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

WAYS, TABLES = "tests.benchmarks._table_ways", "tests.benchmarks._made_up_tables"

ROWS = int(float(os.environ.get("BENCH_TABLE_ROWS", 1.7e6)))
BASELINE_SHARE = 20
MIN_BASELINE_ROWS = 2_000


def run() -> dict:
    """Make the tables, measure both ways, print and return what was found."""
    small = min(ROWS, max(MIN_BASELINE_ROWS, ROWS // BASELINE_SHARE))
    ours, baseline = measure("ours", ROWS), measure("pandas", small)
    scale = ROWS / small
    result = {
        "ours": ours["seconds"],
        "baseline": baseline["seconds"] * scale,
        "ratio": baseline["seconds"] * scale / ours["seconds"],
        "unit": "seconds",
        "what": (
            f"{ROWS:,} unique prompts of {ours['messages']:,} messages, joined with all "
            f"annotations and written with embeddings of 384 and 512 float16, on 2 cores; beside "
            f"pandas with {small:,} of them, times {scale:g}; ratio: how many times as fast"
        ),
        "rows": ours["rows"],
        "cpu_seconds": ours["cpu_seconds"],
        "peak_memory_gb": ours["peak_gb"],
        "baseline_rows": baseline["rows"],
        "baseline_peak_memory_gb": baseline["peak_gb"],
        "steps": ours["steps"],
        "load_before": ours["load"],
    }
    print(
        f"{result['rows']:,} rows in {result['ours']:.1f} s ({result['cpu_seconds']:.1f} s of CPU, "
        f"load before {result['load_before']:.1f}), at most {result['peak_memory_gb']:.2f} GB"
    )
    return result


def measure(way: str, rows: int) -> dict:
    """Make tables of so many prompts, and go one way with them in a fresh process on two cores."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", TABLES, folder, str(rows)], check=True)
        size_gb = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet")) / 1e9
        print(f"made {size_gb:.2f} GB of tables with {rows:,} prompts", flush=True)
        load = os.getloadavg()[0]
        done = subprocess.run(
            [sys.executable, "-m", WAYS, way, folder],
            capture_output=True, text=True, env=os.environ | {"POLARS_MAX_THREADS": "2"},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        found = json.loads(done.stdout.splitlines()[-1]) | {"load": load}
    for step, seconds in found["steps"].items():
        print(f"  {step:16s} {seconds:6.1f} s", flush=True)
    return found
