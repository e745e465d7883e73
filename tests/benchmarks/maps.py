"""The map of all prompts: how memory and time of projecting and gridding grow with their number.

Embeddings of 384 float16 are made up, `BENCH_MAPS` of them (1.7 million by default), and of a quarter
of them; principal components, as UMAP's own time is its authors'. Each run has a process of its own.
``BENCH_MAPS_FOLDER`` keeps the larger map, to open it in a viewer.
"""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from scripts.common.identity import item_uuid
from scripts.common.schemas.annotate import embeddings
from scripts.common.schemas.sources import OUTSIDE_PROMPTS
from scripts.common.tables import TableWriter
from tests.benchmarks.release import measure

PROMPTS = int(float(os.environ.get("BENCH_MAPS", 1_700_000)))
SIZE, PIECE, PLACES = 384, 20_000, 12
WORDS = [f"word{number}" for number in range(5_000)]
STEP = """
def work(folder):
    from scripts.analyse.project_prompts import project_prompts
    group = {"label": "made up", "prompts": folder / "prompts.parquet",
             "vectors": [folder / "vectors.parquet"]}
    settings = {"method": "pca", "components": 50, "neighbours": 15, "min_dist": 0.1, "sample": 1}
    counts = project_prompts(
        folder / "map/points.parquet", label="made up", groups=[group],
        projection=settings, banner="MADE UP", seed=1,
    )
    assert counts.kept and not counts.lost, counts
"""


def run() -> dict:
    """Measure both sizes, print what they took, and return it."""
    found = {}
    for prompts in (PROMPTS // 4, PROMPTS):
        with tempfile.TemporaryDirectory() as folder:
            make_tables(Path(folder), prompts)
            found[prompts] = measure(STEP, folder)
            if prompts == PROMPTS and (kept := os.environ.get("BENCH_MAPS_FOLDER")):
                shutil.copytree(Path(folder, "map"), kept, dirs_exist_ok=True)
        print(f"{prompts:,} prompts: {found[prompts]}", flush=True)
    large, small = found[PROMPTS], found[PROMPTS // 4]
    return {
        "ours": large["peak_mb"],
        "baseline": small["peak_mb"],
        "ratio": large["peak_mb"] / small["peak_mb"],
        "unit": "MB of memory at most",
        "what": (
            f"a map of {PROMPTS:,} prompts with its grid and words, in {large['wall_s']:,.0f} s, "
            "beside a quarter of them (BENCH_MAPS sets the number)"
        ),
        "steps": [{"prompts": prompts, **result} for prompts, result in found.items()],
    }


def make_tables(folder: Path, prompts: int) -> None:
    """Write prompts about a dozen themes, each with words and a place of its own."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(PLACES, SIZE)) * np.linspace(2, 0.1, SIZE)
    (folder / "map").mkdir()
    with (
        TableWriter(folder / "prompts.parquet", OUTSIDE_PROMPTS) as texts,
        TableWriter(folder / "vectors.parquet", embeddings(SIZE)) as vectors,
    ):
        for low in range(0, prompts, PIECE):
            number = min(PIECE, prompts - low)
            theme = random.integers(PLACES, size=number)
            chosen = (random.integers(400, size=(number, 8)) + 400 * theme[:, None]).tolist()
            ids = [item_uuid("made up", f"{low + n}") for n in range(number)]
            made = centres[theme] + random.normal(size=(number, SIZE))
            made = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)
            lines = [" ".join(WORDS[each] for each in words) for words in chosen]
            columns = {"uuid": ids, "prompt": lines, "dataset": ["made up"] * number}
            texts.write(pa.table(columns, schema=OUTSIDE_PROMPTS))
            rows = pa.FixedSizeListArray.from_arrays(made.ravel(), SIZE)
            columns = {"uuid": ids, "embedding": rows, "backend": ["made_up"] * number}
            vectors.write(pa.table(columns))
