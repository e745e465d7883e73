"""Find the image prompt of each prompt of a shard in the released tars (Section 3)."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.curate.release.released_index import place_items


def index_images(
    rows: Path, members: Sequence[Path], tars: Sequence[str], tar: Path, index: Path
) -> Counts:
    """Write the index of a shard's image prompts.

    Args:
        rows: table of ``RELEASE_ROWS``.
        members: tables of ``RELEASED_MEMBERS`` of all tars with pictures, in order of preference.
        tars: the tar of each.
        tar: a tar without members: the pictures stay where they are.
        index: table of ``PLACED_INDEX``.

    Returns:
        Counts of prompts.
    """
    wanted = pl.read_parquet(rows, columns=["UUID"])["UUID"]
    return place_items(wanted, members, tars, tar, index)


if __name__ == "__main__":
    run_job(index_images, snakemake)
