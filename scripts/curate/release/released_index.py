"""Indexes of what was released: each wanted prompt's file, in the tar where it lies."""

import tarfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, PLACED_INDEX, REASONS, REJECTED
from scripts.common.tables import write_table


def place_items(
    wanted: pl.Series, members: Sequence[Path], tars: Sequence[str], tar: Path, index: Path
) -> Counts:
    """Write an index of the wanted prompts, each with the first good member of its own.

    Nothing is copied: the index names the tar in which an item lies, and the tar beside the index
    stays empty.

    Args:
        wanted: UUIDs.
        members: tables of ``RELEASED_MEMBERS``; an earlier one goes before a later one.
        tars: the tar of each, as later readers find it.
        tar: the tar beside the index, without members.
        index: table of ``PLACED_INDEX``, one row for each wanted prompt; one without a member is
            rejected as ``no_member``, one whose members are all bad for the first one's reason.

    Returns:
        Counts of prompts.
    """
    wanted = wanted.rename("uuid").to_frame()
    pieces = [
        pl.scan_parquet(path)
        .filter((pl.col("status") == OK) | pl.col("reason").is_in(list(REASONS)))
        .join(wanted.lazy(), on="uuid", how="semi")
        .with_columns(tar=pl.lit(place), rank=pl.lit(rank, pl.Int32))
        for rank, (path, place) in enumerate(zip(members, tars, strict=True))
    ]
    rows = wanted.with_columns(tar=pl.lit(None, pl.String), name=pl.lit(None, pl.String))
    if pieces:
        found = pl.concat(pieces).collect()
        found = found.sort(pl.col("status") != OK, "rank", "name").unique(
            "uuid", keep="first", maintain_order=True
        )
        rows = wanted.join(found, on="uuid", how="left")
    missing = pl.col("name").is_null()
    rows = rows.with_columns(
        [pl.lit(None).alias(name) for name in PLACED_INDEX.names if name not in rows.columns]
    ).with_columns(
        status=pl.when(missing).then(pl.lit(REJECTED)).otherwise("status"),
        reason=pl.when(missing).then(pl.lit("no_member")).otherwise("reason"),
        tar=pl.when(pl.col("status") == OK).then("tar"),
    )
    tar.parent.mkdir(parents=True, exist_ok=True)
    tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT).close()
    write_table(rows.select(PLACED_INDEX.names).to_arrow(), index, PLACED_INDEX)
    counts = Counts(declared=wanted.height)
    for reason, number in rows["reason"].value_counts().iter_rows():
        counts.reject(reason, number) if reason else counts.keep(number)
    return counts
