"""Take the annotations of a shard from the released rows (Section 3)."""

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import DIRECTION, IMAGE_NSFW, NSFW, SAFE, SUBJECT, TEXT_NSFW
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.release import RELEASED
from scripts.common.tables import write_table

SPELLINGS = {"safe": SAFE, "normal": SAFE, "nsfw": NSFW, "unsafe": NSFW}
"""What Image_NSFW may be called, in lower case; any other word is kept as it is."""


def read_annotations(rows: Path, index: Path, annotations: Mapping[str, Path]) -> Counts:
    """Write the released values of each prompt that has an image.

    Args:
        rows: table of ``RELEASE_ROWS``.
        index: index of the images (``ITEM_INDEX``).
        annotations: text_nsfw, image_nsfw, subject or direction -> the table to write; the
            columns that the release does not have are empty.

    Returns:
        Counts of prompts, all annotations together.
    """
    images = pl.read_parquet(index, columns=["uuid", "status"]).filter(pl.col("status") == OK)
    table = pl.read_parquet(rows).join(images, left_on="UUID", right_on="uuid", how="semi")
    counts = Counts(declared=table.height * len(annotations))
    for name, path in annotations.items():
        read, schema = READERS[name]
        found = read(table).with_columns(
            status=pl.when("there").then(pl.lit(OK)).otherwise(pl.lit(REJECTED)),
            reason=pl.when(~pl.col("there")).then(pl.lit("not_released")),
            backend=pl.lit(RELEASED),
        )
        write_table(found.select(schema.names).to_arrow(), path, schema)
        counts.keep(int(found["there"].sum()))
        counts.reject("not_released", int((~found["there"]).sum()))
    return counts


def _text_nsfw(table: pl.DataFrame) -> pl.DataFrame:
    scores = pl.lit(None)  # of the model's names only one was released
    there = pl.col("Text_NSFW").is_not_null() & pl.col("Text_NSFW").is_not_nan()
    return table.select(uuid="UUID", score="Text_NSFW", scores=scores, there=there)


def _image_nsfw(table: pl.DataFrame) -> pl.DataFrame:
    word = pl.col("Image_NSFW").str.strip_chars()
    label = word.str.to_lowercase().replace_strict(SPELLINGS, default=None)
    return table.select(
        uuid="UUID",
        score=pl.lit(None),
        label=pl.coalesce(label, word),
        there=word.fill_null("") != "",
    )


def _subject(table: pl.DataFrame) -> pl.DataFrame:
    subject = pl.col("Subject").str.strip_chars()
    return table.select(
        uuid="UUID", subject=pl.when(subject != "").then(subject), there=pl.lit(True)
    )


def _direction(table: pl.DataFrame) -> pl.DataFrame:
    verbs = (
        pl.col("Direction")
        .fill_null("")
        .str.split(",")
        .list.eval(pl.element().str.strip_chars())
        .list.eval(pl.element().filter(pl.element() != ""))
        .list.unique(maintain_order=True)
    )
    return table.select(uuid="UUID", verbs=verbs, there=pl.col("Direction").is_not_null())


READERS: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], object]] = {
    "text_nsfw": (_text_nsfw, TEXT_NSFW),
    "image_nsfw": (_image_nsfw, IMAGE_NSFW),
    "subject": (_subject, SUBJECT),
    "direction": (_direction, DIRECTION),
}
"""Annotation -> how it is read, and its schema."""


if __name__ == "__main__":
    annotations = {name: Path(path) for name, path in snakemake.output.items()}
    run_job(read_annotations, snakemake, annotations=annotations)
