"""Naming the subjects of 300,000 unique variants, beside scikit-learn's HDBSCAN.

Variants are unit vectors of 384 numbers, as all-MiniLM-L6-v2 gives: many subjects of which a few
have thousands of variants (Zipf), and lone ones. HDBSCAN holds all distances, so it gets as many of
them as fit (``BENCH_SUBJECTS_HDBSCAN``); its time for all is reckoned by the square of their number.
``BENCH_SUBJECTS`` is another number of variants.
"""

import json
import os
import subprocess
import sys

VARIANTS = int(float(os.environ.get("BENCH_SUBJECTS", 300_000)))
COMPARED = min(int(float(os.environ.get("BENCH_SUBJECTS_HDBSCAN", 4_000))), VARIANTS)
EPSILON = 0.7

MADE_UP = """
import json, re, sys, time
from pathlib import Path
import numpy as np
def make(number, seed=0, dimension=384):
    random = np.random.default_rng(seed)
    heads = random.normal(size=(max(number // 4, 1), dimension)).astype(np.float32)
    # Names share words: all lie towards one side.
    heads += 0.6 * random.normal(size=dimension).astype(np.float32)
    popular = np.minimum(random.zipf(1.3, number) - 1, len(heads) - 1)
    subject = np.where(random.random(number) < 0.5, popular, random.integers(0, len(heads), number))
    vectors = heads[subject]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    step = random.uniform(0.1, 1.0, (number, 1)) / dimension**0.5
    vectors += step.astype(np.float32) * random.standard_normal(vectors.shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, random.zipf(1.5, number).clip(1, 100_000)
vectors, counts = make(int(sys.argv[1]))
epsilon = float(sys.argv[2])
"""
OURS = """
from scripts.annotate.subject_clusters import name_by_leaders
def work():
    return len(set(name_by_leaders(vectors, counts, min_cluster_size=2, epsilon=epsilon).tolist()))
"""
HDBSCAN = """
from sklearn.cluster import HDBSCAN
def work():
    model = HDBSCAN(min_cluster_size=2, min_samples=1, copy=False).fit(vectors)
    labels = model.dbscan_clustering(epsilon, min_cluster_size=2)
    return len(set(labels.tolist()) - {-1}) + int((labels == -1).sum())
"""
MEASURE = """
begin = time.perf_counter()
subjects = work()
seconds = time.perf_counter() - begin
# Linux only; the vectors themselves are counted too.
peak_kib = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps({"s": seconds, "peak_mb": int(peak_kib) * 1024 / 1e6, "subjects": subjects}))
"""


def run() -> dict:
    """Measure both, print what was found, and return it."""
    ours = measure(OURS, VARIANTS)
    baseline = measure(HDBSCAN, COMPARED)
    reckoned_s = baseline["s"] * (VARIANTS / COMPARED) ** 2
    print(f"ours: {VARIANTS:,} variants, {describe(ours)}")
    print(f"scikit-learn's HDBSCAN: {COMPARED:,} variants, {describe(baseline)}")
    return {
        "ours": VARIANTS / ours["s"],
        "baseline": VARIANTS / reckoned_s,
        "ratio": reckoned_s / ours["s"],
        "unit": "variants per second",
        "what": (
            f"naming the subjects of {VARIANTS:,} unit vectors of 384 numbers within {EPSILON}; "
            f"scikit-learn's HDBSCAN is reckoned by the square from {COMPARED:,}, for it would need "
            f"{VARIANTS**2 * 8 / 1e9:,.0f} GB"
        ),
        "seconds": ours["s"],
        "peak_memory_mb": ours["peak_mb"],
        "subjects": ours["subjects"],
        "baseline_seconds": baseline["s"],
        "baseline_variants": COMPARED,
        "baseline_peak_memory_mb": baseline["peak_mb"],
    }


def measure(code: str, variants: int) -> dict[str, float]:
    """Run one of the two in a fresh process; return seconds, peak of memory and subjects."""
    command = [sys.executable, "-c", MADE_UP + code + MEASURE, str(variants), str(EPSILON)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def describe(found: dict[str, float]) -> str:
    return f"{found['s']:,.1f} s, peak {found['peak_mb']:,.0f} MB, {found['subjects']:,} subjects"
