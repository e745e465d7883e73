"""Join prompts, images and annotations into the data set in its released columns (Figure 2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import DATASET, DATASET_REJECTS
from scripts.common.schemas.items import OK
from scripts.common.tables import write_table

VALUES = {
    "text_embedding": [],
    "image_embedding": [],
    "text_nsfw": [pl.col("score").alias("Text_NSFW")],
    "image_nsfw": [pl.col("label").alias("Image_NSFW")],
    "subject": [pl.col("subject").alias("variant")],
    "direction": [pl.col("verbs").list.join(", ").alias("Direction")],
}
"""What the data set takes from each annotation; embeddings stay in their own tables."""


def build_dataset(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    annotations: Mapping[str, Sequence[Path]],
    subjects: Path,
    dataset: Path,
    rejects: Path,
) -> Counts:
    """Write a row for each prompt that has an image and all annotations; count the others.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order; the file's stem is the
            shard.
        annotations: the tables of each annotation, by the keys of ``VALUES``.
        subjects: table of ``SUBJECTS``.
        dataset: table of ``DATASET``, sorted by UUID.
        rejects: table of ``DATASET_REJECTS``.

    Returns:
        Counts of prompts.
    """
    table = pl.concat(
        [
            pl.read_parquet(path, columns=["uuid", "prompt", "timestamp_utc", "user_id"])
            for path in prompts
        ]
    ).sort("uuid")
    table = table.join(_read_images(indexes), on="uuid", how="left").with_columns(
        reason=pl.when(pl.col("status").ne_missing(OK)).then(pl.lit("no_image")),
        detail=pl.when(pl.col("status").ne_missing(OK)).then(
            pl.col("detail").fill_null("no_candidate")
        ),
    )
    for name, paths in annotations.items():
        table = _join_annotation(table, name, paths)
    names = pl.read_parquet(subjects, columns=["variant", "subject"])
    table = table.join(names.rename({"subject": "Subject"}), on="variant", how="left")
    kept = table.filter(pl.col("reason").is_null()).select(
        UUID="uuid",
        Text_Prompt="prompt",
        Image_Prompt=pl.format("images/{}.tar#{}.png", "shard", "uuid"),
        Subject="Subject",
        Timestamp=pl.col("timestamp_utc").dt.strftime("%Y-%m-%d %H:%M:%S"),
        Text_NSFW="Text_NSFW",
        Image_NSFW="Image_NSFW",
        UserID="user_id",
        Direction="Direction",
    )
    rejected = table.filter(pl.col("reason").is_not_null()).select("uuid", "reason", "detail")
    write_table(kept.to_arrow(), dataset, DATASET, sort_by=["UUID"])
    write_table(rejected.to_arrow(), rejects, DATASET_REJECTS)
    counts = Counts(kept=kept.height, declared=table["uuid"].n_unique())
    for reason, number in rejected["reason"].value_counts().iter_rows():
        counts.reject(reason, number)
    return counts


def _read_images(indexes: Sequence[Path]) -> pl.DataFrame:
    return pl.concat(
        [
            pl.read_parquet(path, columns=["uuid", "status", "reason"]).with_columns(
                shard=pl.lit(path.stem)
            )
            for path in indexes
        ]
    ).rename({"reason": "detail"})


def _join_annotation(table: pl.DataFrame, name: str, paths: Sequence[Path]) -> pl.DataFrame:
    """Add an annotation's values, and reject the rows that have none and no earlier fault."""
    found = pl.concat([pl.read_parquet(path) for path in paths]).select(
        "uuid", pl.col("status").alias("found"), pl.col("reason").alias("fault"), *VALUES[name]
    )
    table = table.join(found, on="uuid", how="left")
    missing = pl.col("reason").is_null() & pl.col("found").ne_missing(OK)
    fault = pl.format("{}: {}", pl.lit(name), pl.col("fault").fill_null("not there"))
    return table.with_columns(
        reason=pl.when(missing).then(pl.lit("not_annotated")).otherwise("reason"),
        detail=pl.when(missing).then(fault).otherwise("detail"),
    ).drop("found", "fault")


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = build_dataset(
            prompts=[Path(path) for path in snakemake.input.prompts],
            indexes=[Path(path) for path in snakemake.input.indexes],
            annotations={name: [Path(path) for path in snakemake.input[name]] for name in VALUES},
            subjects=Path(snakemake.input.subjects),
            dataset=Path(snakemake.output.dataset),
            rejects=Path(snakemake.output.rejects),
        )
        log.finish(counts)
