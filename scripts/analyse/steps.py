"""One step of the graph as an account sees it: what came in, what came out, and why not the rest.

A step is declared (``declared_steps``) and followed here. A row is kept where its status is ok, or
where its table has neither status nor reason and only lists what was kept.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from scripts.analyse.declaration import Items, Step, Values
from scripts.analyse.export_count import stated_messages
from scripts.common.errors import UserError
from scripts.common.schemas.items import OK
from scripts.common.tables import read_table
from scripts.curate.release.released_layout import stated_rows

NO_REASON = "no_reason"
"""Reason of a rejected row that has none: it still is a rejected row."""

STATED: Mapping[str, Callable[..., int | None]] = {
    "export": lambda file: stated_messages(Path(file)),
    "card": lambda file, split: stated_rows(Path(file)).get(split),
}
"""What is counted elsewhere, before the first table: messages of an export, rows of a release."""

_TABLES_AT_HAND = 12


@dataclass(frozen=True)
class Sum:
    """What a step read, kept and rejected.

    Attributes:
        step: the step.
        read: items that came in, counted where they came from.
        kept: items that came out.
        rejected: reason -> items that did not.
    """

    step: Step
    read: int
    kept: int
    rejected: Counter[str] = field(default_factory=Counter)

    def checked(self) -> "Sum":
        """Return the sum if read = kept + rejected.

        Raises:
            UserError: it is off; the step is named.
        """
        rejected = self.rejected.total()
        if lost := self.read - self.kept - rejected:
            word = "lost" if lost > 0 else "from nowhere"
            raise UserError(
                f"account of {title(self.step)}: read {self.read:,}, but kept {self.kept:,} + "
                f"rejected {rejected:,}: {abs(lost):,} {self.step['unit']} {word}; delete this "
                "rule's outputs and run again, and report it if the sum is off again"
            )
        return self

    def rows(self, stage: str) -> list[dict]:
        """Return rows of ``ACCOUNT``: one for each reason, or one without."""
        common = {
            "stage": stage,
            "step": self.step["rule"],
            "part": self.step["part"],
            "unit": self.step["unit"],
            "read": self.read,
            "kept": self.kept,
            "rejected": self.rejected.total(),
        }
        ordered = sorted(self.rejected.items(), key=lambda pair: (-pair[1], pair[0]))
        return [common | {"reason": name, "count": n} for name, n in ordered or [("", 0)]]


def title(step: Step) -> str:
    """Return how errors call a step."""
    return f"{step['rule']} {step['part']}".strip()


class Follower:
    """Follows items through steps; tables that steps share are read once."""

    def __init__(self):
        """Begin with no table at hand."""
        self._read = lru_cache(_TABLES_AT_HAND)(_read_columns)

    def follow(self, step: Step) -> Sum:
        """Return what a step read, kept and rejected; every single item where items have keys.

        Items that the step rejects although they never came in were rejected before (the index of
        images has a row for each video that is missing): they are not counted twice.

        Raises:
            UserError: an item came in and is neither kept nor rejected, or came out of nowhere, or
                is there twice, or the sum is off; the step and an item are named.
        """
        out = self._rows(step["out"])
        why = [self._rows(items) for items in step.get("why", [])]
        if "read" not in step or not step["out"].get("key", ["uuid"]):
            return self._count(step, out, why)
        read = self._keys(step["read"])
        fates = pl.concat([out, *why]).unique("key", keep="first", maintain_order=True)
        kept = out.filter(pl.col("reason").is_null())["key"]
        known = fates.filter(pl.col("reason").is_not_null() | pl.col("key").is_in(kept.implode()))
        told = known if "otherwise" not in step else pl.concat([known, _unknown(read, fates, step)])
        for which, faulty in (
            ("came in twice", _again(read)),
            ("came out twice", _again(out["key"])),
            ("came in and are neither kept nor rejected", _missing(read, told["key"])),
            ("were kept without having come in", _missing(kept, read)),
        ):
            if len(faulty):
                raise UserError(
                    f"account of {title(step)}: {len(faulty):,} {step['unit']} {which}, such as "
                    f"{faulty.min()}; delete this rule's outputs and run again, and report it if "
                    "the sum is off again"
                )
        rejected = told.filter(pl.col("key").is_in(read.implode()))["reason"].drop_nulls()
        return Sum(step, len(read), len(kept), _count(rejected)).checked()

    def _count(self, step: Step, out: pl.DataFrame, why: Sequence[pl.DataFrame]) -> Sum:
        """Return the sum of a step whose rows have no keys in common."""
        kept = int(out["reason"].is_null().sum())
        reasons = sum((_count(rows["reason"].drop_nulls()) for rows in [out, *why]), Counter())
        read = self._rows(step["read"]).height if "read" in step else kept + reasons.total()
        if "stated" in step:
            name, *arguments = step["stated"]
            read = max(read, STATED[name](*arguments) or 0)
        if "counts" in step["out"]:
            kept, rejected = self._counts(step)
            # What was not counted as rejected where it was kept is missing on the left of the sum.
            read -= reasons.total() - rejected
            reasons[step["otherwise"]] = sum(int(rows["reason"].is_null().sum()) for rows in why)
            reasons[step["otherwise"]] -= kept
        elif "otherwise" in step:
            reasons[step["otherwise"]] = read - kept - reasons.total()
        return Sum(step, read, kept, +reasons).checked()

    def _counts(self, step: Step) -> tuple[int, int]:
        items = step["out"]
        table = self._table(items, items["counts"])
        if table.is_empty():
            raise UserError(
                f"account of {title(step)}: {items['files'][0]} has no row of it; delete it and "
                "run again"
            )
        kept, rejected = table.select(items["counts"]).row(0)
        return kept, rejected

    def _keys(self, items: Items) -> pl.Series:
        rows = self._rows(items)
        if not items.get("rejected"):
            rows = rows.filter(pl.col("reason").is_null())
        return rows["key"]

    def _rows(self, items: Items) -> pl.DataFrame:
        """Return ``key`` and ``reason`` of items, the reason null where they were kept."""
        table = self._table(items, [])
        key = items.get("key", ["uuid"])
        names = [pl.col(column).cast(pl.String) for column in key]
        rows = table.with_columns(
            key=pl.concat_str(names, separator="/") if names else pl.lit(None, pl.String),
            reason=_reason(table, items),
        ).select("key", "reason")
        return rows.unique("key", maintain_order=True) if items.get("distinct") else rows

    def _table(self, items: Items, more: Sequence[str]) -> pl.DataFrame:
        where, unless = items.get("where", {}), items.get("unless", {})
        wanted = (*items.get("key", ["uuid"]), *where, *unless, *more)
        table = self._read(tuple(items["files"]), tuple(dict.fromkeys(wanted)))
        for column, values in where.items():
            table = table.filter(self._is_one_of(column, values))
        for column, values in unless.items():
            table = table.filter(~self._is_one_of(column, values))
        return table

    def _is_one_of(self, column: str, values: Values) -> pl.Expr:
        text = pl.col(column).cast(pl.String)
        if isinstance(values, Mapping):
            values = [values]
        if values and isinstance(values[0], Mapping):
            keys = pl.concat([self._keys(items) for items in values]).drop_nulls()
            return text.is_in(keys.implode()).fill_null(False)
        found = text.str.strip_chars().is_in([value for value in values if value is not None])
        return found.fill_null(None in values)


def _read_columns(files: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    """Return some columns of tables, and their status and reason if they have such."""
    there = pq.read_schema(files[0]).names if files else []
    fate = [name for name in ("status", "reason") if name in there]
    wanted = list(dict.fromkeys([*columns, *fate]))
    if not files:
        return pl.DataFrame(schema=dict.fromkeys(wanted, pl.String))
    if not wanted:  # rows are counted; any column does
        wanted = there[:1]
    return pl.DataFrame(read_table(files, columns=wanted))


def _reason(table: pl.DataFrame, items: Items) -> pl.Expr:
    if "reason" in items:
        return pl.lit(items["reason"])
    if "reason" not in table.columns:
        return pl.lit(None, pl.String)
    named = pl.col("reason").cast(pl.String).fill_null(NO_REASON)
    if "status" not in table.columns:
        return named
    return pl.when(pl.col("status") != OK).then(named)


def _unknown(read: pl.Series, fates: pl.DataFrame, step: Step) -> pl.DataFrame:
    strangers = _missing(read, fates["key"])
    return pl.DataFrame({"key": strangers}).with_columns(reason=pl.lit(step["otherwise"]))


def _again(keys: pl.Series) -> pl.Series:
    return keys.filter(~keys.is_first_distinct())


def _missing(these: pl.Series, those: pl.Series) -> pl.Series:
    return these.filter(~these.is_in(those.implode()))


def _count(reasons: pl.Series) -> Counter[str]:
    return Counter(dict(reasons.value_counts().iter_rows()))
