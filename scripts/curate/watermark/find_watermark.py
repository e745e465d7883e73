"""Find fixed overlays, such as a generator's logo, that many image prompts have in common."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scripts.common.errors import Rejected
from scripts.common.identity import seeded_order
from scripts.common.job import run_job
from scripts.common.pictures import decode_picture, encode_png
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.watermark import OVERLAYS
from scripts.common.shards import Shards
from scripts.common.tables import write_table
from scripts.curate.watermark.overlays import (
    SHIFTS,
    MeanGradients,
    Overlay,
    chance_threshold,
    find_overlays,
    read_luma,
    scale_of,
    score_picture,
)

Size = tuple[int, int]
MAX_SHIFTED = 500
"""Pictures of which shifted ones tell how chance scores."""
WHITE_AT = 2.0
"""Mean gradient (grey levels per pixel) that the picture of edges shows white."""


def find_watermark(
    images: Shards, overlays: Path, *, settings: Mapping[str, Any], seed: int
) -> Counts:
    """Look at a sample of the image prompts, and write what those of each size have in common.

    Users of the released data set found Pika's mark in every model's videos: it is in the first
    frames that all models were given. Only one picture and two sums for each size are in memory.

    Args:
        images: the image prompts.
        overlays: table of ``OVERLAYS``, the sizes with most pictures first.
        settings: the configuration's ``curate.watermark``. ``sample``: pictures that are looked
            at; ``min_images``: of one size, fewer say nothing; ``working_side``: longer side in
            pixels at which pictures are looked at; ``false_positive_rate``: share of pictures
            without an overlay whose score may be above the threshold, which is found by looking
            for the overlays where they are not.
        seed: of the run.

    Returns:
        Counts of the pictures looked at; one that looks as another did is not taken again, since
        what these two have in common is the picture itself.
    """
    counts = Counts()
    chosen = seeded_order(images.uuids, seed, "watermark")[: settings["sample"]]
    fields: dict[Size, MeanGradients] = defaultdict(MeanGradients)
    seen: dict[Size, set[bytes]] = defaultdict(set)
    for picture in _pictures(images, chosen, counts):
        size = picture.shape[1], picture.shape[0]
        look = difference_hash(picture)
        if look in seen[size]:
            counts.reject("same_picture")
            continue
        seen[size].add(look)
        fields[size].add(read_luma(picture, scale_of(size, settings["working_side"])))
        counts.keep()
    rows, found = [], []
    for size, field in sorted(fields.items(), key=lambda pair: (-pair[1].count, pair[0])):
        scale = scale_of(size, settings["working_side"])
        is_searched = field.count >= settings["min_images"]
        own = find_overlays(field, size, scale) if is_searched else []
        found += own
        rows += [row | {"is_searched": is_searched} for row in _rows(size, scale, field, own)]
    rate = settings["false_positive_rate"]
    thresholds = _thresholds(images, chosen, found, rate) if found else {}
    write_table([row | thresholds for row in rows], overlays, OVERLAYS)
    for overlay in found:
        left, top, width, height = (round(side / overlay.scale) for side in overlay.box)
        counts.notes.append(
            f"An overlay is common to images of {overlay.size[0]} x {overlay.size[1]} pixels: "
            f"{width} x {height} at ({left}, {top}); see results/figures/watermark.png"
        )
    return counts


def difference_hash(picture: np.ndarray) -> bytes:
    """Return which of 8 x 8 places are brighter than their left neighbour: how a picture looks."""
    small = Image.fromarray(picture).convert("L").resize((9, 8), Image.Resampling.BOX)
    grey = np.asarray(small, np.int16)
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes()


def _thresholds(
    images: Shards, chosen: Sequence[str], found: Sequence[Overlay], false_positive_rate: float
) -> dict[str, float]:
    """Return the scores that pictures with nothing in the overlays' places exceed so rarely."""
    sizes = {overlay.size for overlay in found}
    own, rare = [], []
    for picture in _pictures(images, chosen[:MAX_SHIFTED]):
        if (picture.shape[1], picture.shape[0]) in sizes:
            own += score_picture(picture, found, SHIFTS)
        rare += score_picture(picture, found, SHIFTS, as_rare=True)
    return {
        "threshold": chance_threshold(own, false_positive_rate),
        "rare_threshold": chance_threshold(rare, false_positive_rate),
    }


def _pictures(
    images: Shards, uuids: Sequence[str], counts: Counts | None = None
) -> Iterator[np.ndarray]:
    for uuid in progress(uuids, "watermark"):
        try:
            yield decode_picture(images.read(uuid))
        except Rejected as error:
            if counts is not None:
                counts.reject(error.reason)


def _rows(size: Size, scale: float, field: MeanGradients, found: Sequence[Overlay]) -> list[dict]:
    steepness = np.hypot(*np.mean(field.halves(), axis=0))
    edges = np.uint8(np.clip(steepness / WHITE_AT, 0, 1) * 255)
    common = {
        "width": size[0], "height": size[1], "images": field.count, "scale": scale,
        "edges": encode_png(edges),
    }  # fmt: skip
    boxes = [
        dict(zip(("left", "top", "box_width", "box_height"), overlay.box, strict=True))
        | {"gradient": overlay.gradient.ravel()}
        for overlay in found
    ]
    return [common | box for box in boxes or [{}]]


if __name__ == "__main__":
    images = Shards(snakemake.input.tars, snakemake.input.indexes)
    run_job(find_watermark, snakemake, images=images)
