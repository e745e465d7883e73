"""Take the annotations of a shard from the released rows (Section 3)."""

from collections.abc import Mapping
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


_WORD = pl.col("Image_NSFW").str.strip_chars()
_LABEL = pl.coalesce(_WORD.str.to_lowercase().replace_strict(SPELLINGS, default=None), _WORD)
_THING = pl.col("Subject").str.strip_chars()
_VERB = pl.element().str.strip_chars()
_VERBS = pl.col("Direction").fill_null("").str.split(",").list.eval(_VERB.filter(_VERB != ""))
READERS = {
    # Of the model's names only one was released.
    "text_nsfw": (TEXT_NSFW, {
        "score": "Text_NSFW",
        "scores": pl.lit(None),
        "there": pl.col("Text_NSFW").is_not_null() & pl.col("Text_NSFW").is_not_nan(),
    }),
    "image_nsfw": (IMAGE_NSFW, {
        "score": pl.lit(None), "label": _LABEL, "there": _WORD.fill_null("") != "",
    }),
    "subject": (SUBJECT, {"subject": pl.when(_THING != "").then(_THING), "there": pl.lit(True)}),
    "direction": (DIRECTION, {
        "verbs": _VERBS.list.unique(maintain_order=True),
        "there": pl.col("Direction").is_not_null(),
    }),
}  # fmt: skip
"""Annotation -> its schema, and its columns from those of the release; ``there``: it was released."""


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
        schema, columns = READERS[name]
        found = table.select(uuid="UUID", **columns).with_columns(
            status=pl.when("there").then(pl.lit(OK)).otherwise(pl.lit(REJECTED)),
            reason=pl.when(~pl.col("there")).then(pl.lit("not_released")),
            backend=pl.lit(RELEASED),
        )
        write_table(found.select(schema.names).to_arrow(), path, schema)
        counts.keep(int(found["there"].sum()))
        counts.reject("not_released", int((~found["there"]).sum()))
    return counts


if __name__ == "__main__":
    annotations = {name: Path(path) for name, path in snakemake.output.items()}
    run_job(read_annotations, snakemake, annotations=annotations)
