"""Pack one shard of the data set with small pictures, as Hugging Face datasets reads it."""

import io
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from scripts.common.pictures import decode_picture
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import DATASET, PACKED_DATASET
from scripts.common.shards import Shard
from scripts.common.tables import TableWriter, read_table

_ROWS = 500  # rows whose pictures are in memory at a time


def pack_dataset(
    dataset: Path,
    tar: Path,
    index: Path,
    packed: Path,
    *,
    preview_side: int,
    preview_quality: int,
) -> Counts:
    """Write the rows of one shard, ``Image_Prompt`` as a JPEG; full pictures stay in the tar.

    The released files have about 8 kB a row, pictures included, so theirs are small as well.

    Args:
        dataset: table of ``DATASET``; the rows whose image lies in ``tar`` are packed.
        tar: tar of the shard's images.
        index: its index (``ITEM_INDEX``).
        packed: table of ``PACKED_DATASET``.
        preview_side: longer side of a picture at most, in pixels.
        preview_quality: JPEG quality, 1 to 95.

    Returns:
        Counts of rows.
    """
    rows = read_table(dataset, DATASET)
    rows = rows.filter(pc.starts_with(rows["Image_Prompt"], f"images/{tar.name}#"))
    images = Shard(tar, index)
    counts = Counts(declared=rows.num_rows)
    with TableWriter(packed, PACKED_DATASET) as writer:
        for start in range(0, rows.num_rows, _ROWS):
            part = rows.slice(start, _ROWS).to_pylist()
            for row in part:
                picture = decode_picture(images.read(row["UUID"]))
                row["Image_Prompt"] = {
                    "bytes": encode_preview(picture, preview_side, preview_quality),
                    "path": f"{row['UUID']}.jpg",
                }
                counts.keep()
            writer.write(part)
    return counts


def encode_preview(picture: np.ndarray, side: int, quality: int) -> bytes:
    """Return a picture (uint8 RGB) as JPEG whose longer side is ``side`` pixels at most."""
    preview = Image.fromarray(picture)
    preview.thumbnail((side, side), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    preview.save(target, "JPEG", quality=quality)
    return target.getvalue()


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = pack_dataset(
            dataset=Path(snakemake.input.dataset),
            tar=Path(snakemake.input.tar),
            index=Path(snakemake.input.index),
            packed=Path(snakemake.output.packed),
            preview_side=snakemake.params.preview_side,
            preview_quality=snakemake.params.preview_quality,
        )
        log.finish(counts)
