"""Lay out what a release has beside its tables: tars, splits, and videos that the hub's viewer shows."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import packed_videos
from scripts.common.shards import Shard
from scripts.common.tables import TableWriter

_BYTES = 2**26
"""Of videos in memory, and in a row group, at a time."""


def lay_out_release(
    linked: Sequence[Path],
    tables: Sequence[Path],
    tars: Sequence[Path],
    links: Sequence[Path],
    splits: Sequence[Path],
    videos: Sequence[Path],
    *,
    places: Mapping[str, str],
    generators: Sequence[str],
) -> Counts:
    """Link tars and their indexes, write the splits with the release's places, pack videos.

    A link takes no room, and what is taken out of the one is taken out of the other.

    Args:
        linked: tars, and the index beside each.
        tables: of the splits; their column ``tar`` says where an item lies.
        tars: of the videos that are packed into tables, each with its index beside it.
        links: where each of ``linked`` goes.
        splits: where each of ``tables`` goes.
        videos: where each of ``tars`` goes, as a table of ``packed_videos``.
        places: tar -> its name in the release.
        generators: whose videos ``tars`` has, in the same order.

    Returns:
        Counts of files.
    """
    for source, target in zip(linked, links, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source.resolve(), target)
        except OSError:
            shutil.copyfile(source, target)
    for source, target in zip(tables, splits, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        table = pq.read_table(source, partitioning=None)
        if "tar" in table.column_names:
            tar = pl.Series(table["tar"].to_pylist(), dtype=pl.String).replace(dict(places))
            place = table.column_names.index("tar")
            table = table.set_column(
                place, table.schema.field("tar"), tar.to_arrow().cast("string")
            )
        pq.write_table(table, target, compression="zstd", version="2.6")
    for tar, target, generator in zip(tars, videos, generators, strict=True):
        with TableWriter(target, packed_videos(generator)) as writer:
            for rows in progress(_pieces(tar, generator), target.stem):
                writer.write(rows)
    return Counts(kept=len(linked) + len(tables) + len(tars))


def _pieces(tar: Path, generator: str) -> Iterator[list[dict]]:
    """Yield the rows of a tar's videos, so many as fit into memory."""
    rows, size = [], 0
    for uuid, data in Shard(tar, tar.with_suffix(".parquet")):
        rows.append({"UUID": uuid, "Video": {"bytes": data, "path": f"{generator}-{uuid}.mp4"}})
        size += len(data)
        if size > _BYTES:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


if __name__ == "__main__":
    run_job(lay_out_release, snakemake)
