"""Join prompts, images and annotations into the data set in its released columns (Figure 2)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import DATASET, DATASET_REJECTS
from scripts.common.schemas.items import OK
from scripts.common.tables import ROW_GROUP, TableWriter, write_table

VALUES = {
    "text_embedding": [],
    "image_embedding": [],
    "text_nsfw": [pl.col("score").alias("Text_NSFW")],
    "image_nsfw": [pl.col("label").alias("Image_NSFW")],
    "subject": [pl.col("subject").alias("variant")],
    "direction": [pl.col("verbs").list.join(", ").alias("Direction")],
}
"""What the data set takes from each annotation: of embeddings, whether they are there."""
MISSING_PICTURE = ("undecodable", "empty_file")
"""Faults of an annotation that are the picture's: its prompt has none. For any other the prompt stays,
without that value: a model that refuses an unsafe prompt, as it may, must not take out of the data set
what it is collected for."""


def build_dataset(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    annotations: Mapping[str, Sequence[Path]],
    subjects: Path,
    dataset: Path,
    rejects: Path,
) -> Counts:
    """Write a row for each prompt that has a picture and was annotated; count the others.

    A prompt for which an annotator has no value, since its model would not answer or failed, is kept
    with a null; how many there are, and why, is noted.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order; the file's stem is the
            shard.
        annotations: the tables of each annotation, by the keys of ``VALUES``, in the same order.
        subjects: table of ``SUBJECTS``.
        dataset: table of ``DATASET``, sorted by UUID.
        rejects: table of ``DATASET_REJECTS``.

    Returns:
        Counts of prompts.
    """
    names = pl.read_parquet(subjects, columns=["variant", "subject"])
    unanswered = Counter()
    counts, kept, rejected = Counts(declared=0), [], []
    by_shard = zip(*annotations.values(), strict=True)
    for table, index, paths in zip(prompts, indexes, by_shard, strict=True):
        rows = _join_shard(table, index, dict(zip(annotations, paths, strict=True)))
        counts.declared += rows["uuid"].n_unique()
        is_kept = pl.col("reason").is_null()
        kept.append(_release(rows.filter(is_kept), index.stem, names))
        rejected.append(rows.filter(~is_kept).select("uuid", "reason", "detail"))
        for name in annotations:
            faults = rows.filter(is_kept)[f"no_{name}"].drop_nulls().value_counts()
            unanswered.update({f"{name}: {fault}": n for fault, n in faults.iter_rows()})
    rejected = pl.concat(rejected)
    write_table(rejected.to_arrow(), rejects, DATASET_REJECTS)
    counts.notes += [f"{n:,} kept without {name}" for name, n in sorted(unanswered.items())]
    for reason, number in rejected["reason"].value_counts().iter_rows():
        counts.reject(reason, number)
    rows = pl.concat(kept).sort("UUID")
    with TableWriter(dataset, DATASET) as writer:
        for part in rows.iter_slices(ROW_GROUP):
            writer.write(part.to_arrow())
            counts.keep(part.height)
    return counts


def _join_shard(prompts: Path, index: Path, annotations: Mapping[str, Path]) -> pl.DataFrame:
    """Return a shard's prompts with all their values, and ``reason`` where one is missing."""
    wanted = ["uuid", "prompt", "timestamp_utc", "user_id"]
    images = pl.scan_parquet(index).select("uuid", "status", detail="reason")
    missing = pl.col("status").ne_missing(OK)
    table = (
        pl.scan_parquet(prompts)
        .select(wanted)
        .join(images, on="uuid", how="left")
        .with_columns(
            reason=pl.when(missing).then(pl.lit("no_image")),
            detail=pl.when(missing).then(pl.col("detail").fill_null("no_candidate")),
        )
    )
    for name, path in annotations.items():
        table = _join_annotation(table, name, path)
    return table.collect()


def _join_annotation(table: pl.LazyFrame, name: str, path: Path) -> pl.LazyFrame:
    """Add an annotation's values, and ``no_<name>``: why a row that stays has none.

    Rejected are rows without an earlier fault whose picture cannot be read, or that nobody was asked
    about.
    """
    found = pl.scan_parquet(path).select(
        "uuid", pl.col("status").alias("found"), pl.col("reason").alias("fault"), *VALUES[name]
    )
    table = table.join(found, on="uuid", how="left")
    table = table.with_columns(
        pl.when(pl.col("found").ne_missing(OK)).then("fault").alias(f"no_{name}")
    )
    missing = pl.col("found").is_null() | pl.col("fault").is_in(MISSING_PICTURE).fill_null(False)
    missing &= pl.col("reason").is_null()
    fault = pl.format("{}: {}", pl.lit(name), pl.col("fault").fill_null("not there"))
    return table.with_columns(
        reason=pl.when(missing).then(pl.lit("not_annotated")).otherwise("reason"),
        detail=pl.when(missing).then(fault).otherwise("detail"),
    ).drop("found", "fault")


def _release(rows: pl.DataFrame, shard: str, subjects: pl.DataFrame) -> pl.DataFrame:
    """Return the released columns of rows that are kept."""
    return rows.join(
        subjects.rename({"subject": "Subject"}), on="variant", how="left", maintain_order="left"
    ).select(
        UUID="uuid",
        Text_Prompt="prompt",
        Image_Prompt=pl.format("images/{}.tar#{}.png", pl.lit(shard), "uuid"),
        Subject="Subject",
        Timestamp=pl.col("timestamp_utc").dt.strftime("%Y-%m-%d %H:%M:%S"),
        Text_NSFW="Text_NSFW",
        Image_NSFW="Image_NSFW",
        UserID="user_id",
        Direction="Direction",
    )


if __name__ == "__main__":
    tables = {name: list(map(Path, snakemake.input[name])) for name in VALUES}
    run_job(build_dataset, snakemake, annotations=tables)
