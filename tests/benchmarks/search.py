"""The exact search of the tracers, beside faiss's exact index on the same cores.

20,000 queries among 200,000 references of 512 numbers (`BENCH_SEARCH=queries,references,dimension`
for another size), ten neighbours each. Each round runs both, in turns, each in a fresh process
that reads the same files. Ours reads the references in blocks, and its answer does not depend on
them; the index holds all of them. Where there is a GPU, 90,000 queries among 1,010,000 references
are searched there too (`BENCH_SEARCH_GPU`), as a share of what its matrix units reach.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZE = [int(part) for part in os.environ.get("BENCH_SEARCH", "20000,200000,512").split(",")]
GPU_SIZE = [
    int(part) for part in os.environ.get("BENCH_SEARCH_GPU", "90000,1010000,512").split(",")
]
ROUNDS = int(os.environ.get("BENCH_SEARCH_ROUNDS", 3))
TOP_K = 10
BLOCK_MB = 128
TIE = 1e-6
"""faiss orders by float32 products; references closer than this it may exchange."""

OURS = """
from scripts.trace.faiss_products import FaissProducts
from scripts.trace.search import find_top_matches
def prepare(queries, blocks):
    return queries, blocks
def search(queries, blocks):
    return find_top_matches(queries, blocks, top_k=TOP_K, products=FaissProducts(THREADS))
"""
FAISS = """
import faiss
def prepare(queries, blocks):
    faiss.omp_set_num_threads(THREADS)
    index = faiss.IndexFlatIP(DIMENSION)
    for block in blocks:
        index.add(block)
    return queries, index
def search(queries, index):
    return index.search(queries, TOP_K)
"""
MEASURE = """
import json, re, sys, time
from pathlib import Path
import numpy as np
folder = Path(sys.argv[1])
def read_blocks():
    rows = BLOCK_MB * 2**20 // (4 * DIMENSION)
    with open(folder / "references.f32", "rb") as file:
        while len(block := np.fromfile(file, np.float32, rows * DIMENSION)):
            yield block.reshape(-1, DIMENSION)
work = prepare(np.fromfile(folder / "queries.f32", np.float32).reshape(-1, DIMENSION), read_blocks())
wall, cpu = time.perf_counter(), time.process_time()
scores, numbers = search(*work)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
# Linux only: other counters also count what the process was before it became this one.
peak_kib = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
np.savez(folder / sys.argv[2], scores=scores, numbers=numbers)
print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mb": int(peak_kib) * 1024 / 1e6}))
"""
WAYS = {"ours": OURS, "faiss": FAISS}


def run() -> dict:
    """Measure both in turns, print the ratio, and return it."""
    threads = len(os.sched_getaffinity(0))
    queries, references, dimension = SIZE
    products = 2 * queries * references * dimension
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        write_vectors(Path(folder), *SIZE)
        for number in range(ROUNDS):
            order = list(WAYS) if number % 2 else list(reversed(WAYS))
            rounds.append({name: measure(name, Path(folder), threads) for name in order})
            for name, found in rounds[-1].items():
                found["gflops"] = products / found["wall_s"] / 1e9
                found["gflops_of_a_core"] = products / found["cpu_s"] / 1e9
                print(f"round {number + 1}: {name:6s} " + describe(found), flush=True)
        same = compare(Path(folder))

    def median(name: str, figure: str) -> float:
        return statistics.median(found[name][figure] for found in rounds)

    def ratio(figure: str) -> float:
        return statistics.median(found["ours"][figure] / found["faiss"][figure] for found in rounds)

    result = {
        "ours": median("ours", "gflops"),
        "baseline": median("faiss", "gflops"),
        "ratio": ratio("gflops"),
        "ratio_of_core_time": ratio("gflops_of_a_core"),
        "unit": "GFLOP/s",
        "what": (
            f"exact search of {queries:,} queries among {references:,} references of {dimension} "
            f"numbers for {TOP_K} neighbours, {threads} threads, beside faiss's IndexFlatIP; "
            f"medians of {ROUNDS} turns"
        ),
        "same_queries": same,
        "peak_memory_mb": max(found["ours"]["peak_mb"] for found in rounds),
        "baseline_peak_memory_mb": max(found["faiss"]["peak_mb"] for found in rounds),
    }
    print(
        f"ours / faiss {result['ratio']:.3f} by the clock, {result['ratio_of_core_time']:.3f} by the "
        f"cores' time (which a busy machine moves less); the same references in the same order for "
        f"{same:.2%} of the queries, for the others the products differ by less than {TIE:g}; "
        f"peak memory {result['peak_memory_mb']:,.0f} MB against "
        f"{result['baseline_peak_memory_mb']:,.0f} MB"
    )
    return result | run_on_gpu()


def write_vectors(folder: Path, queries: int, references: int, dimension: int) -> None:
    """Write unit vectors; each query is near to one reference, as a frame is to its source."""
    random = np.random.default_rng(0)
    known = np.memmap(folder / "references.f32", np.float32, "w+", shape=(references, dimension))
    for start in range(0, references, 16_384):
        part = random.standard_normal((min(16_384, references - start), dimension), np.float32)
        known[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    sources = known[random.integers(references, size=queries)]
    asked = sources + random.standard_normal((queries, dimension), np.float32) / dimension**0.5
    (asked / np.linalg.norm(asked, axis=1, keepdims=True)).tofile(folder / "queries.f32")
    known.flush()


def measure(name: str, folder: Path, threads: int) -> dict[str, float]:
    """Search in a fresh process; return its time and its peak of memory."""
    constants = f"THREADS, TOP_K, BLOCK_MB, DIMENSION = {threads}, {TOP_K}, {BLOCK_MB}, {SIZE[2]}\n"
    done = subprocess.run(
        [sys.executable, "-c", constants + WAYS[name] + MEASURE, str(folder), f"{name}.npz"],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compare(folder: Path) -> float:
    """Return the share of queries with the same answer; fail if another differs by more than ties."""
    ours, theirs = np.load(folder / "ours.npz"), np.load(folder / "faiss.npz")
    assert np.abs(ours["scores"] - theirs["scores"]).max() < TIE, "ours and faiss differ"
    return float((ours["numbers"] == theirs["numbers"]).all(axis=1).mean())


def describe(found: dict[str, float]) -> str:
    return ", ".join(f"{figure} {value:,.1f}" for figure, value in found.items())


def run_on_gpu() -> dict:
    """Search on the GPU, if there is one; return its rate as a share of its matrix units'."""
    import torch

    if not torch.cuda.is_available():
        print("there is no GPU here: the search there was not measured")
        return {}
    from scripts.trace.search import find_top_matches
    from scripts.trace.torch_products import TorchProducts

    queries, references, dimension = GPU_SIZE
    with tempfile.TemporaryDirectory() as folder:
        write_vectors(Path(folder), *GPU_SIZE)
        asked, known = (
            np.fromfile(Path(folder) / f"{name}.f32", np.float32).reshape(-1, dimension)
            for name in ("queries", "references")
        )
    seconds = []
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        find_top_matches(asked, [known], top_k=TOP_K, products=TorchProducts("cuda"))
        seconds.append(time.perf_counter() - begin)
    found = 2 * queries * references * dimension / statistics.median(seconds[1:]) / 1e12
    peak = matrix_units(torch)
    print(
        f"GPU ({torch.cuda.get_device_name()}): {queries:,} x {references:,} x {dimension} in "
        f"{statistics.median(seconds[1:]):.2f} s, transfers included: {found:,.0f} TFLOP/s, "
        f"{found / peak:.1%} of the {peak:,.0f} that TF32 products alone reach"
    )
    return {
        "gpu_tflops": found,
        "gpu_peak_tflops": peak,
        "gpu_share": found / peak,
        "gpu_peak_memory_mb": torch.cuda.max_memory_allocated() / 1e6,
    }


def matrix_units(torch, side: int = 16_384, repeats: int = 10) -> float:
    """Return the TFLOP/s of large products of the same precision (TF32), and of nothing else."""
    torch.backends.cuda.matmul.allow_tf32 = True
    left = torch.randn(side, side, device="cuda")
    for _ in range(3):
        left @ left
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(repeats):
        left @ left
    torch.cuda.synchronize()
    return repeats * 2 * side**3 / (time.perf_counter() - begin) / 1e12
