"""Find a generator's video of each prompt of a shard in the released tars (Section 3)."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.identity import shard_of
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.curate.release.released_index import place_items


def index_videos(
    wanted: Sequence[Path],
    members: Sequence[Path],
    tars: Sequence[str],
    tar: Path,
    index: Path,
    *,
    shard: str,
    shards: int,
) -> Counts:
    """Write the index of a shard's videos, which nobody has to generate again.

    Args:
        wanted: tables with the prompts that the generator animated, in a column ``uuid``.
        members: tables of ``RELEASED_MEMBERS`` of the generator's tars, in order of preference.
        tars: the tar of each.
        tar: a tar without members: the videos stay where they are.
        index: table of ``PLACED_INDEX``.
        shard: name of the shard, five digits...
        shards: ...of so many: the prompts whose UUID falls into it are wanted.

    Returns:
        Counts of prompts.
    """
    uuids = pl.concat([pl.read_parquet(path, columns=["uuid"]) for path in wanted])["uuid"].unique()
    number = int(shard)
    here = [uuid for uuid in uuids.sort() if shard_of(uuid, shards) == number]
    return place_items(pl.Series("uuid", here, pl.String), members, tars, tar, index)


if __name__ == "__main__":
    run_job(index_videos, snakemake)
