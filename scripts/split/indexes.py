"""The indexes beside tars, read as one table of items."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from scripts.common.errors import UserError
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.shards import read_index

COLUMNS = ["uuid", "group", "status", "reason", "frames", "size_bytes", "sha256", "offset"]


def read_items(
    indexes: Sequence[Path | str], tars: Sequence[str], wanted: Collection[str] | None = None
) -> pd.DataFrame:
    """Return items of several indexes, each with the tar in which its file lies.

    Args:
        indexes: Parquet files (``ITEM_INDEX``), at least one.
        tars: the tar beside each, as later readers find it; an index may name others.
        wanted: the UUIDs to return, each in one row: an item that no index knows is rejected as
            ``no_video``. All items of the indexes by default.

    Returns:
        ``COLUMNS`` and ``tar``, in the order of UUIDs.

    Raises:
        UserError: a UUID stands in two rows.
    """
    tables = []
    for index, tar in zip(indexes, tars, strict=True):
        table = read_index(index, tar, COLUMNS).to_pandas()
        if wanted is not None:
            table = table[table["uuid"].isin(wanted)]
        tables.append(table)
    items = pd.concat(tables, ignore_index=True)
    twice = items.loc[items["uuid"].duplicated(), "uuid"]
    if len(twice):
        raise UserError(
            f"{indexes[0]}: item {twice.iloc[0]} has two rows in the indexes; name each item once"
        )
    if wanted is not None:
        items = items.set_index("uuid").reindex(sorted(wanted)).reset_index()
        unknown = items["status"].isna()
        items.loc[unknown, "status"], items.loc[unknown, "reason"] = REJECTED, "no_video"
    return items.sort_values("uuid", ignore_index=True)


def items_there(items: pd.DataFrame) -> tuple[pd.DataFrame, Counts]:
    """Return the items that are there, and the counts of the others by reason."""
    there = items["status"] == OK
    reasons = Counter(items.loc[~there, "reason"].dropna())
    counts = Counts(int(there.sum()), reasons, declared=len(items))
    return items[there].reset_index(drop=True), counts
