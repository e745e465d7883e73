"""Take each scraped video's first frame as its image prompt (Section 3)."""

from pathlib import Path

import numpy as np

from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, FileLedger
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.rule_log import Counts
from scripts.common.shards import Shard, ShardItem, write_shard
from scripts.common.video import read_frames

SCRIPT = "scripts/curate/extract_images.py"


def extract_images(
    videos_tar: Path,
    videos_index: Path,
    tar: Path,
    index: Path,
    *,
    max_megapixels: float,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write first frames as lossless PNG: Pika 'utilizes these user-inputted prompts as the first
    frames of generated videos' (Section 3). Upright, as players show them; one video at a time is
    in memory.

    Args:
        videos_tar: ``<uuid>.mp4`` members.
        videos_index: the index beside it.
        tar: ``<uuid>.png`` members.
        index: ``ITEM_INDEX``, one row for each wanted video; without a video, ``no_video``.
        max_megapixels: of a frame; a larger one is rejected, not decoded.
        ledger_root: where finished items are kept.
    """
    videos = Shard(videos_tar, videos_index)
    key = ledger_key(SCRIPT, max_megapixels=max_megapixels)
    ledger = FileLedger(ledger_root / "curate" / key / f"images-{videos_tar.stem}")

    def read(uuid: str) -> np.ndarray:
        if uuid not in videos:
            raise Rejected("no_video")
        return read_frames(videos.read(uuid), [0], max_megapixels=max_megapixels)[0]

    task = Task(
        name="first frames",
        items={uuid: row["sha256"] for uuid, row in videos.rows.items()},
        ledger=ledger,
        load=lambda: None,
        work=lambda _, pictures: [(encode_png(one), picture_properties(one)) for one in pictures],
        finish=lambda uuid, value: ShardItem(uuid, *value),
        failure="undecodable",
    )
    run([task], read, what=f"first frames {videos_tar.stem}")
    counts = write_shard(tar, index, ledger.items(task.items, task.faults), "png")
    counts.notes += task.notes
    ledger.finish(tar, index)
    return counts


if __name__ == "__main__":
    run_job(extract_images, snakemake)
