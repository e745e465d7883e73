"""Collecting unique prompts: how its memory and time grow with the number of generations.

Tables of generations are made up, of `BENCH_PROMPTS_ROWS` rows (a million by default, which takes
about a minute; 25 GB of exports have about 12 million) and of a quarter of them. Every fifth message
lies in two exports, and every third prompt was typed before. Each run has a process of its own.
"""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from scripts.common.schemas.curate import MESSAGES
from scripts.common.tables import TableWriter
from tests.benchmarks.release import measure

ROWS = int(float(os.environ.get("BENCH_PROMPTS_ROWS", 1_000_000)))
EXPORTS = 8
PIECE = 50_000
STEP = """
def work(folder):
    from scripts.curate.collect_prompts import collect_prompts
    names = [f"{number:05d}.parquet" for number in range(SHARDS)]
    counts = collect_prompts(
        sorted(folder.glob("export-*.parquet")),
        [folder / "prompts" / name for name in names],
        folder / "rejects.parquet",
        kinds=["image_to_video"],
        user_key="key",
    )
    assert counts.kept and not counts.lost, counts
"""


def run() -> dict:
    """Measure both sizes, print what they took, and return it."""
    found = {}
    for rows in (ROWS // 4, ROWS):
        with tempfile.TemporaryDirectory() as folder:
            make_tables(Path(folder), rows)
            found[rows] = measure(STEP, folder)
        print(f"{rows:,} generations: {found[rows]}", flush=True)
    large, small = found[ROWS], found[ROWS // 4]
    return {
        "ours": large["peak_mb"],
        "baseline": small["peak_mb"],
        "ratio": large["peak_mb"] / small["peak_mb"],
        "unit": "MB of memory at most",
        "what": (
            f"unique prompts of {ROWS:,} generations in 64 buckets, in {large['wall_s']:,.0f} s, "
            "beside a quarter of them (BENCH_PROMPTS_ROWS sets the number)"
        ),
        "steps": [{"rows": rows, **result} for rows, result in found.items()],
    }


def make_tables(folder: Path, rows: int) -> None:
    """Write made-up generations; of an export's messages, a fifth are in the one before as well."""
    own = rows // EXPORTS
    empty = pl.from_arrow(MESSAGES.empty_table())
    start = datetime(2023, 7, 1, tzinfo=UTC)
    for export in range(EXPORTS):
        first = max(0, export * own - own // 5)
        with TableWriter(folder / f"export-{export}.parquet", MESSAGES) as writer:
            for low in range(first, (export + 1) * own, PIECE):
                numbers = range(low, min(low + PIECE, (export + 1) * own))
                typed = [number if number % 3 else number // 9 * 2 for number in numbers]
                frame = pl.DataFrame(
                    {
                        "message_id": [str((number + 1) << 38) for number in numbers],
                        "timestamp_utc": [start + timedelta(seconds=n) for n in numbers],
                        "requester": [f"user{number % 40_000}" for number in numbers],
                        "prompt": [
                            f"a thing of kind {number} moves slowly, cinematic, highly detailed"
                            for number in typed
                        ],
                        "motion": [number % 5 for number in numbers],
                        "kind": ["image_to_video"] * len(numbers),
                        "video": [
                            f"https://cdn.example/attachments/1/{number}/a_thing_seed{number}.mp4"
                            f"?ex=64cb389a&is=64c9e71a&hm={number:064x}&"
                            for number in numbers
                        ],
                        "video_name": [f"a_thing_seed{number}.mp4" for number in numbers],
                    }
                )
                writer.write(pl.concat([empty, frame], how="diagonal_relaxed").to_arrow())
