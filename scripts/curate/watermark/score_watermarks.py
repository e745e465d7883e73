"""Score how well each image prompt of a shard fits the overlays that were found."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scripts.common.code import code_checksum
from scripts.common.errors import Rejected
from scripts.common.fingerprints import fingerprint, hash_files
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.pictures import decode_picture
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.watermark import OVERLAYS, WATERMARKS
from scripts.common.shards import Shard
from scripts.common.tables import read_table, write_table
from scripts.curate.watermark.overlay_scores import score_picture
from scripts.curate.watermark.overlays import Overlay


def score_watermarks(
    tar: Path,
    index: Path,
    overlays: Path,
    watermarks: Path,
    *,
    ledger_root: Path = LEDGER,
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
    name = fingerprint(
        overlays=hash_files([overlays]),
        code=code_checksum("scripts/curate/watermark/score_watermarks.py", plumbing=False),
    )
    ledger = RowLedger(ledger_root / "curate" / name / f"watermarks-{tar.stem}", WATERMARKS)

    def score(uuids: Sequence[str]) -> list[dict]:
        return [_row(uuid, images, found, thresholds) for uuid in uuids]

    uuids = images.uuids
    versions = {uuid: images.rows[uuid]["sha256"] for uuid in uuids}
    with ledger:
        rows = ledger.complete(
            uuids, score, batch_size=32, what=f"watermarks {tar.stem}", versions=versions
        )
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


def _row(
    uuid: str, images: Shard, found: Sequence[Overlay], thresholds: tuple[float, float]
) -> dict:
    row = {"uuid": uuid, "score": None, "has_overlay": False, "status": OK, "reason": None}
    if not found:
        return row
    try:
        picture = decode_picture(images.read(uuid))
    except Rejected as error:
        return row | {"status": REJECTED, "reason": error.reason}
    [score] = score_picture(picture, found)
    is_rare = (picture.shape[1], picture.shape[0]) not in {overlay.size for overlay in found}
    return row | {"score": score, "has_overlay": score > thresholds[is_rare]}


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = score_watermarks(
            tar=Path(snakemake.input.tar),
            index=Path(snakemake.input.index),
            overlays=Path(snakemake.input.overlays),
            watermarks=Path(snakemake.output.watermarks),
        )
        log.finish(counts)
