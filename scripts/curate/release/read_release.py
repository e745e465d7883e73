"""Read the released rows, each prompt once, and bucket them by UUID (Section 3)."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from scripts.common.identity import shard_of
from scripts.common.job import run_job
from scripts.common.partitions import Partitions
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.schemas.release import RELEASE_REJECTS, RELEASE_ROWS, RELEASED_SPLITS
from scripts.common.tables import TableWriter, write_table
from scripts.curate.release.released_layout import EVAL, SUBSET, stated_rows
from scripts.curate.release.released_rows import OPTIONAL, iterate_rows
from scripts.curate.removal_list import RemovalList, read_removals

_TEXTS = dict.fromkeys(("given_uuid", "uuid", "prompt"), pl.String)
_PLACES = {"row": pl.Int64, "rank": pl.Int32, "split": pl.String}
_TIME = {"timestamp_utc": pl.Datetime("ms", "UTC")}
_EMPTY = pl.DataFrame(schema=_TEXTS | _TIME | OPTIONAL | _PLACES)


def read_release(
    tables: Mapping[str, Sequence[Path]],
    rows: Sequence[Path],
    prompts: Sequence[Path],
    splits: Path,
    rejects: Path,
    *,
    card: Path | None = None,
    removals: RemovalList | None = None,
) -> Counts:
    """Keep each released prompt once, under the UUID that it was released with.

    The tables are read in batches and dealt out to the buckets, of which one at a time is then
    put in order: memory does not grow with the data set.

    Args:
        tables: split -> its Parquet files; the largest split first. A prompt in several splits
            counts in the largest.
        rows: one table of ``RELEASE_ROWS`` for each bucket of the UUID, in the buckets' order.
        prompts: one table of ``PROMPTS`` for each bucket; no prompt has a candidate for its
            video, for the videos were released as well.
        splits: table of ``RELEASED_SPLITS``.
        rejects: table of ``RELEASE_REJECTS``.
        card: the data set's README.md, whose numbers of rows are checked.
        removals: prompts and users that are left out.

    Returns:
        Counts of rows of all splits, as the card states them; a note if the files disagree.

    Raises:
        UserError: a table cannot be read, or lacks a column.
    """
    stated = stated_rows(card) if card else {}
    removals = removals or RemovalList()
    counts = Counts(declared=0)
    rows[0].parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=rows[0].parent, prefix="tmp-") as folder,
        Partitions(Path(folder, "parts"), len(rows), _EMPTY) as parts,
        TableWriter(rejects, RELEASE_REJECTS) as fallen,
        TableWriter(splits, RELEASED_SPLITS) as animated,
    ):
        found = _deal_out(tables, parts)
        for bucket in progress(range(len(parts)), "buckets of prompts"):
            kept, lost = _settle(parts.read(bucket), removals)
            write_table(kept.select(RELEASE_ROWS.names).to_arrow(), rows[bucket], RELEASE_ROWS,
                        sort_by=["UUID"])  # fmt: skip
            write_table(_as_prompts(kept).to_arrow(), prompts[bucket], PROMPTS)
            drawn = kept.filter(pl.col("subset") | pl.col("tip_eval")).sort("UUID")
            animated.write(drawn.select(RELEASED_SPLITS.names).to_arrow())
            fallen.write(lost.select(RELEASE_REJECTS.names).to_arrow())
            counts.keep(kept.height)
            counts.rejected.update(lost["reason"].to_list())
    for split, number in found.items():
        promised = stated.get(split, number)
        counts.declared += max(promised, number)
        counts.reject("not_in_the_files", max(promised - number, 0))
        if promised != number:
            counts.notes.append(
                f"{split} has {number:,} rows in its files, and {promised:,} by {card}: the files "
                "and the card are of different versions, or a file was cut and written anew"
            )
    return counts


def _deal_out(tables: Mapping[str, Sequence[Path]], parts: Partitions) -> dict[str, int]:
    """Write each row to the part of its bucket; return how many rows each split has."""
    found = {}
    for rank, (split, paths) in enumerate(tables.items()):
        found[split] = 0
        for batch, first in progress(iterate_rows(paths), f"rows of {split}"):
            found[split] = first + batch.height
            # Rows without a UUID have no bucket of their own; they are rejected in the first.
            buckets = [shard_of(uuid, len(parts)) if uuid else 0 for uuid in batch["uuid"]]
            batch = batch.with_columns(
                row=pl.int_range(first, first + batch.height, dtype=pl.Int64),
                rank=pl.lit(rank, pl.Int32),
                split=pl.lit(split),
            )
            parts.write(batch, buckets)
    return found


def _settle(part: pl.DataFrame, removals: RemovalList) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of a bucket that are kept, one for each prompt, and the rejected ones."""
    part = part.sort("rank", "row")
    covered = [removals.covers(uuid, user) for uuid, user in part.select("uuid", "UserID").rows()]
    part = part.with_columns(
        reason=pl.when(pl.col("uuid").is_null()).then(pl.lit("no_uuid"))
        .when(pl.Series(covered, dtype=pl.Boolean)).then(pl.lit("removed"))
        .when(pl.col("prompt") == "").then(pl.lit("empty_prompt"))
        .when(pl.col("timestamp_utc").is_null()).then(pl.lit("no_timestamp"))
    )  # fmt: skip
    good = pl.col("reason").is_null()
    is_first_of_split = pl.struct("uuid", "rank", good).is_first_distinct()
    part = part.with_columns(
        reason=pl.when(~good).then("reason")
        .when(~is_first_of_split).then(pl.lit("duplicate_uuid"))
        .when(~pl.struct("uuid", good).is_first_distinct()).then(pl.lit("in_another_split"))
    )  # fmt: skip
    members = part.filter(pl.col("uuid").is_not_null()).group_by("uuid").agg(
        subset=(pl.col("split") == SUBSET).any(), tip_eval=(pl.col("split") == EVAL).any()
    )  # fmt: skip
    kept = part.filter(good).join(members, on="uuid", how="left", maintain_order="left")
    kept = kept.rename({"uuid": "UUID", "prompt": "Text_Prompt"})
    lost = part.filter(~good).select("split", "row", pl.col("given_uuid").alias("uuid"), "reason")
    return kept, lost


def _as_prompts(kept: pl.DataFrame) -> pl.DataFrame:
    """Return rows of ``PROMPTS``: what a release has of them, for it has no options or links."""
    known = {
        "uuid": pl.col("UUID"),
        "prompt": pl.col("Text_Prompt"),
        "timestamp_utc": pl.col("timestamp_utc"),
        "user_id": pl.col("UserID"),
        "kind": pl.lit("image_to_video"),
        "messages": pl.lit(1, pl.Int32),
        "candidates": pl.lit([], pl.List(pl.Null)),
    }
    return kept.select(known.get(name, pl.lit(None)).alias(name) for name in PROMPTS.names)


if __name__ == "__main__":
    splits = {
        name: [Path(path) for path in snakemake.input[name]] for name in snakemake.params.splits
    }
    run_job(
        read_release,
        snakemake,
        tables=splits,
        removals=read_removals(Path(snakemake.params.removals)),
    )
