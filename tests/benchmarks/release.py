"""Reading the released data set: how its memory and time grow with the number of rows.

Tables in the released form are made up, of `BENCH_RELEASE_ROWS` rows and of a quarter of them, all
in one row group, as pandas writes them; each step runs in a process of its own. Memory that does not grow is what is wanted: the real
embeddings are 21 GB.
"""

import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = int(float(os.environ.get("BENCH_RELEASE_ROWS", 400_000)))
DIMENSION = 3072
SHARDS = 64
PIECE = 5_000
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://example.org/benchmark")

ROWS_STEP = """
def work(folder):
    from scripts.curate.release.read_release import read_release
    names = [f"{number:05d}.parquet" for number in range(SHARDS)]
    counts = read_release(
        {"Full": [folder / "rows.parquet"]},
        [folder / "rows" / name for name in names],
        [folder / "prompts" / name for name in names],
        folder / "splits.parquet",
        folder / "rejects.parquet",
    )
    assert counts.kept and not counts.lost, counts
"""
EMBEDDINGS_STEP = """
def work(folder):
    from scripts.curate.release.read_embeddings import read_embeddings
    names = [f"{number:05d}.parquet" for number in range(SHARDS)]
    counts = read_embeddings(
        [folder / "embeddings.parquet"],
        [folder / "images" / name for name in names],
        [folder / "text_embedding" / name for name in names],
    )
    assert counts.kept and not counts.rejected, counts
"""
MEASURE = """
import json, os, re, sys, time
from pathlib import Path
SHARDS = int(sys.argv[2])
start = time.perf_counter()
work(Path(sys.argv[1]))
wall = time.perf_counter() - start
peak_kib = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps({"wall_s": wall, "peak_mb": int(peak_kib) * 1024 / 1e6}))
"""
STEPS = {"rows": ROWS_STEP, "embeddings": EMBEDDINGS_STEP}


def run() -> dict:
    """Measure both steps at both sizes, print what they took, and return it."""
    found = {}
    for rows in (ROWS // 4, ROWS):
        with tempfile.TemporaryDirectory() as folder:
            make_tables(Path(folder), rows)
            for name, code in STEPS.items():
                found[name, rows] = measure(code, folder)
                print(f"{name}, {rows:,} rows: {found[name, rows]}", flush=True)
    large, small = found["embeddings", ROWS], found["embeddings", ROWS // 4]
    return {
        "ours": large["peak_mb"],
        "baseline": small["peak_mb"],
        "ratio": large["peak_mb"] / small["peak_mb"],
        "unit": "MB of memory at most",
        "what": (
            f"released embeddings of {ROWS:,} texts ({DIMENSION} numbers each) dealt out to "
            f"{SHARDS} shards, beside a quarter of them"
        ),
        "steps": [{"step": name, "rows": rows, **result} for (name, rows), result in found.items()],
    }


def measure(code: str, folder: str) -> dict[str, float]:
    """Run a step in a fresh process; return its seconds and its peak of memory."""
    done = subprocess.run(
        [sys.executable, "-c", code + MEASURE, folder, str(SHARDS)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def make_tables(folder: Path, rows: int) -> None:
    """Write made-up rows without pictures, their embeddings, and indexes of their images."""
    rng = np.random.default_rng(1)
    kinds = pa.schema([("UUID", pa.string()), ("embedding", pa.list_(pa.float32()))])
    ids: list[list[str]] = [[] for _ in range(SHARDS)]
    tables = pq.ParquetWriter(folder / "embeddings.parquet", kinds, compression="none")
    texts = None
    for start in range(0, rows, PIECE):
        numbers = range(start, min(start + PIECE, rows))
        uuids = [uuid.uuid5(NAMESPACE, str(number)) for number in numbers]
        for each in uuids:
            ids[each.int % SHARDS].append(str(each))
        names = pa.array([str(each) for each in uuids])
        vectors = rng.standard_normal((len(numbers), DIMENSION), np.float32)
        offsets = pa.array(np.arange(len(numbers) + 1, dtype=np.int32) * DIMENSION)
        lists = pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel()))
        tables.write_batch(pa.RecordBatch.from_arrays([names, lists], schema=kinds))
        text = pa.table(
            {
                "UUID": names,
                "Text_Prompt": [f"a thing of kind {number} moves slowly, 4k, realistic " * 2
                                for number in numbers],
                "Subject": [f"Thing {number % 3000}" for number in numbers],
                "Timestamp": ["2024-01-18 00:40:21"] * len(numbers),
                "Text_NSFW": pa.array(rng.random(len(numbers), np.float32)),
                "Image_NSFW": ["Safe"] * len(numbers),
            }
        )  # fmt: skip
        texts = texts or pq.ParquetWriter(folder / "rows.parquet", text.schema)
        texts.write_table(text)
    tables.close()
    texts.close()
    (folder / "images").mkdir()
    for number, names in enumerate(ids):
        index = pa.table({"uuid": sorted(names), "status": ["ok"] * len(names)})
        pq.write_table(index, folder / f"images/{number:05d}.parquet")
