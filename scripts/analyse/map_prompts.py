"""The prompts of a map: the data set's own, or another data set's, all or some of them."""

from pathlib import Path
from typing import Any

import polars as pl

from scripts.common.identity import seeded_order
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import POINTS

COLUMNS = {"uuid": "UUID", "prompt": "text", "Text_Prompt": "text", "Subject": "subject",
           "Direction": "direction", "Timestamp": "timestamp", "Text_NSFW": "text_nsfw",
           "Image_NSFW": "image_nsfw"}  # fmt: skip
"""Column of ``DATASET`` or ``OUTSIDE_PROMPTS`` -> of ``POINTS``."""


def draw_prompts(
    prompts: Path | str,
    *,
    label: str,
    seed: int,
    counts: Counts,
    most: int | None = None,
    **others: Any,
) -> pl.DataFrame:
    """Return what ``POINTS`` has of prompts, but for their places.

    Args:
        prompts: table of ``DATASET`` or ``OUTSIDE_PROMPTS``.
        label: how the data set is called.
        seed: of the run; by it ``most`` prompts are drawn of more.
        counts: to which the prompts, and those that are not drawn, are added.
        most: prompts; all by default.
        others: of a map's group; they are for its reader.
    """
    rows = pl.read_parquet(prompts)
    rows = rows.rename({old: new for old, new in COLUMNS.items() if old in rows.columns})
    rows = rows.select(name for name in POINTS.names if name in rows.columns)
    counts.declared = counts.read + rows.height
    if most is not None and rows.height > most:
        drawn = seeded_order(rows["UUID"], seed, "maps", label)[:most]
        counts.reject("not_drawn", rows.height - most)
        rows = rows.filter(pl.col("UUID").is_in(drawn))
    return rows.with_columns(group=pl.lit(label))
