"""Find the image prompt, or a generator's video, of each prompt of a shard in the released tars."""

import tarfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.identity import shard_of
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, PLACED_INDEX, REASONS, REJECTED
from scripts.common.tables import write_table


def index_released(
    wanted: Sequence[Path],
    members: Sequence[Path],
    tars: Sequence[str],
    tar: Path,
    index: Path,
    *,
    shard: str,
    shards: int,
) -> Counts:
    """Write an index of the wanted prompts, each with the first good member of its own (Section 3).

    Nothing is copied: the index names the tar in which an item lies, and the tar beside the index
    stays empty.

    Args:
        wanted: tables with prompts in a column ``uuid``, such as those that a generator animated.
        members: tables of ``RELEASED_MEMBERS``, in order of preference.
        tars: the tar of each, as later readers find it.
        tar: the tar beside the index, without members.
        index: table of ``PLACED_INDEX``, one row for each wanted prompt; one without a member is
            rejected as ``no_member``, one whose members are all bad for the first one's reason.
        shard: name of the shard, five digits...
        shards: ...of so many: the prompts whose UUID falls into it are wanted.

    Returns:
        Counts of prompts.
    """
    uuids = pl.concat([pl.read_parquet(path, columns=["uuid"]) for path in wanted])["uuid"].unique()
    here = [uuid for uuid in uuids.sort() if shard_of(uuid, shards) == int(shard)]
    asked = pl.DataFrame({"uuid": here}, {"uuid": pl.String})
    empty = pl.from_arrow(PLACED_INDEX.empty_table())
    pieces = [
        pl.scan_parquet(path)
        .filter((pl.col("status") == OK) | pl.col("reason").is_in(list(REASONS)))
        .join(asked.lazy(), on="uuid", how="semi")
        .with_columns(tar=pl.lit(place), rank=pl.lit(rank, pl.Int32))
        for rank, (path, place) in enumerate(zip(members, tars, strict=True))
    ]
    names = ["name", "rank", *empty.columns]
    nothing = empty.lazy().with_columns(name=pl.lit(None, pl.String), rank=pl.lit(0, pl.Int32))
    found = pl.concat([nothing, *pieces], how="diagonal").select(names).collect()
    found = found.sort(pl.col("status") != OK, "rank", "name").unique(
        "uuid", keep="first", maintain_order=True
    )
    missing = pl.col("name").is_null()
    rows = asked.join(found, on="uuid", how="left").with_columns(
        status=pl.when(missing).then(pl.lit(REJECTED)).otherwise("status"),
        reason=pl.when(missing).then(pl.lit("no_member")).otherwise("reason"),
        tar=pl.when(pl.col("status") == OK).then("tar"),
    )
    tar.parent.mkdir(parents=True, exist_ok=True)
    tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT).close()
    write_table(rows.select(PLACED_INDEX.names).to_arrow(), index, PLACED_INDEX)
    return Counts.of_statuses(dict(rows.select("uuid", "reason").iter_rows()))


if __name__ == "__main__":
    run_job(index_released, snakemake)
