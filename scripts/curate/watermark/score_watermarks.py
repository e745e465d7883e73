"""Score how well each image prompt of a shard fits the overlays that were found."""

from pathlib import Path

import numpy as np

from scripts.common.engine import Task, ledger_key, run
from scripts.common.fingerprints import hash_files
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.pictures import decode_picture
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.watermark import OVERLAYS, WATERMARKS
from scripts.common.shards import Shard
from scripts.common.tables import read_table, write_table
from scripts.curate.watermark.overlays import Overlay, score_picture

SCRIPT = "scripts/curate/watermark/score_watermarks.py"


def score_watermarks(
    tar: Path, index: Path, overlays: Path, watermarks: Path, *, ledger_root: Path = LEDGER
) -> Counts:
    """Write a score for each image prompt, and whether it has an overlay.

    Nothing is removed: whoever measures on image prompts, or on videos made from them, can leave
    out those with an overlay, or report them apart.

    Args:
        tar: ``<uuid>.png`` members.
        index: the index beside it.
        overlays: table of ``OVERLAYS``.
        watermarks: table of ``WATERMARKS``, one row for each image that is there.
        ledger_root: where finished items are kept.

    Returns:
        Counts of images; one with an overlay is kept as well.
    """
    images = Shard(tar, index)
    found, thresholds = read_overlays(overlays)

    def read(uuid: str) -> np.ndarray | None:
        return decode_picture(images.read(uuid)) if found else None

    def score(picture: np.ndarray | None) -> dict:
        if picture is None:
            return {}
        [best] = score_picture(picture, found)
        is_rare = (picture.shape[1], picture.shape[0]) not in {overlay.size for overlay in found}
        return {"score": best, "has_overlay": best > thresholds[is_rare]}

    key = ledger_key(SCRIPT, overlays=hash_files([overlays]))
    task = Task(
        name="watermarks",
        items={uuid: images.rows[uuid]["sha256"] for uuid in images.uuids},
        ledger=RowLedger(ledger_root / "curate" / key / f"watermarks-{tar.stem}", WATERMARKS),
        load=lambda: None,
        work=lambda _, pictures: map(score, pictures),
        finish=lambda uuid, values: _row(uuid) | values,
        failure="undecodable",
    )
    run([task], read, what=f"watermarks {tar.stem}")
    rows = task.rows(_row).to_list()
    write_table(rows, watermarks, WATERMARKS)
    counts = Counts.of_statuses({row["uuid"]: row["reason"] for row in rows})
    if found:
        marked = sum(row["has_overlay"] for row in rows)
        counts.notes.append(f"{marked:,} of {len(rows):,} images of {tar.name} have an overlay")
    return counts


def read_overlays(path: Path) -> tuple[list[Overlay], tuple[float, float]]:
    """Return the overlays of a table of ``OVERLAYS``, and the scores above which one is there.

    The first is for pictures of the overlays' sizes, the second for all others.
    """
    found, thresholds = [], (1.0, 1.0)
    for row in read_table(path, OVERLAYS).to_pylist():
        if row["gradient"] is None:
            continue
        box = row["left"], row["top"], row["box_width"], row["box_height"]
        gradient = np.array(row["gradient"], np.float32).reshape(2, box[3], box[2])
        found.append(Overlay((row["width"], row["height"]), row["scale"], box, gradient))
        thresholds = row["threshold"], row["rare_threshold"]
    return found, thresholds


def _row(uuid: str, reason: str | None = None) -> dict:
    status = REJECTED if reason else OK
    return {"uuid": uuid, "score": None, "has_overlay": False, "status": status, "reason": reason}


if __name__ == "__main__":
    run_job(score_watermarks, snakemake)
