"""A table of the paper as a value: sections of rows of numbers; ``table_faces`` writes it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.rule_log import Counts

Number = float | None


@dataclass(frozen=True)
class Row:
    """One row of numbers.

    Attributes:
        keys: the leading cells of the CSV, such as ("accuracy", "UnivFD").
        cells: the leading cells for readers, such as ("UnivFD",).
        values: one number for each column, in the unit of the table; None where there is none.
        items: for each column, on how many items the number stands; None where that has no sense.
        entry: the entry of a sheet that the row shows.
        embedded: whether that is an offline stand-in for a model of the paper.
        paper: what the paper prints in each column, and last in that of the averages, where there
            is one; empty where the row or the data is not the paper's.
        texts: what readers see instead of ``values``, such as intervals.
        more: further cells of the CSV, by column.
    """

    keys: tuple[str, ...]
    cells: tuple[str, ...]
    values: tuple[Number, ...]
    items: tuple[int | None, ...]
    entry: str = ""
    embedded: bool = False
    paper: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """Rows under one header, such as the block of accuracies in Table 3."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class PaperTable:
    """A table in the paper's layout.

    Attributes:
        number: the paper's number, such as "3".
        caption: what it shows, one or two sentences.
        keys: names of the leading columns of the CSV.
        columns: the generators: name -> label.
        sections: the rows, in the paper's order and grouping.
        supplements: sections below them for readers; the CSV has their numbers in other columns.
        shown: how a number is written.
        average: whether the mean of the columns ends each row.
        notes: sentences below the table.
    """

    number: str
    caption: str
    keys: tuple[str, ...]
    columns: Mapping[str, str]
    sections: tuple[Section, ...]
    shown: Callable[[float], str]
    average: bool = True
    notes: tuple[str, ...] = field(default=())
    supplements: tuple[Section, ...] = ()

    @property
    def rows(self) -> list[Row]:
        """All rows, in order."""
        return [row for section in self.sections for row in section.rows]

    def counts(self) -> Counts:
        """Return how many numbers of entries there are, and how many are missing."""
        counts = Counts()
        for row in self.rows:
            if row.entry:
                known = sum(value is not None for value in row.values)
                counts.keep(known)
                counts.reject("no_value", len(row.values) - known)
        return counts


def difference(ours: str, paper: str) -> str:
    """Return ours less the paper's, of the numbers as they are printed, with a sign.

    So it is exact at the paper's precision; empty where one of them is missing.
    """
    return f"{Decimal(ours) - Decimal(paper):+}" if ours and paper else ""


class PaperNumbers:
    """The paper's numbers of one table, as it prints them, by its rows and our columns."""

    AVERAGE = "Avg."

    def __init__(
        self,
        rows: Iterable[Mapping[str, str]],
        generators: Iterable[Mapping[str, Any]],
        keys: Sequence[str],
    ):
        """Index the paper's rows.

        Args:
            rows: of ``config/paper``; none where the data is not the paper's.
            generators: our columns, in order: ``paper`` is the paper's column, if it has one.
            keys: the leading columns, the last of which names a row.
        """
        self._rows = {row[keys[-1]]: row for row in rows}
        self._columns = [generator.get("paper") or "" for generator in generators]
        theirs = set(next(iter(self._rows.values()), {})) - set(keys)
        if self.AVERAGE in theirs:
            # An average is the paper's only if it is taken over the same generators.
            same = sorted(self._columns) == sorted(theirs - {self.AVERAGE})
            self._columns.append(self.AVERAGE if same else "")

    def row(self, entry: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what the paper prints in an entry's row, last its average if it has averages.

        Empty for a stand-in, and if the paper has no such row.
        """
        name = entry.get("paper") or None
        if name not in self._rows or entry["embedded"]:
            return ()
        return tuple(self._rows[name].get(column, "") for column in self._columns)


def comparison_notes(rows: Iterable[Row], entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what the brackets of compared rows say, and why entries have no number of ours."""
    notes = ["In brackets: the paper's number, and ours less the paper's."]
    return notes * any(row.paper for row in rows) + [
        f"{entry['label']} has no number of ours: {entry['unavailable']}."
        for entry in entries
        if entry.get("unavailable")
    ]


def column_labels(generators: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the columns of a table: name -> label."""
    return {generator["entry"]: generator["label"] for generator in generators}


def stand_in_notes(generators: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a sentence that names the generators that stand in for models of the paper."""
    names = [generator["label"] for generator in generators if generator["embedded"]]
    return (f"Generators that are offline stand-ins: {', '.join(names)}.",) if names else ()


def percent(value: float) -> str:
    """Write a percentage as Tables 3 to 5 do: one decimal, but two below ten (8.71, 0.74).

    Args:
        value: a share in [0, 1].
    """
    number = 100 * value
    return f"{number:.2f}" if number < 9.995 else f"{number:.1f}"


def percent_one_decimal(value: float) -> str:
    """Write a share as a percentage with one decimal, as Tables 3 and 4 do."""
    return f"{100 * value:.1f}"


def three_decimals(value: float) -> str:
    """Write a score as Table 7 does."""
    return f"{value:.3f}"


def mean_of(values: Sequence[Number]) -> Number:
    """Return the mean, or None if a value is missing: a mean of fewer columns is another number."""
    if not values or any(value is None for value in values):
        return None
    return math.fsum(values) / len(values)


@dataclass(frozen=True)
class Cells:
    """Tidy metrics, looked up by row, metric and generator.

    Attributes:
        source: the file they come from, for errors.
        found: (row, metric, generator) -> (value, number of items).
    """

    source: Path
    found: Mapping[tuple[str, str, str], tuple[Number, int]]

    @classmethod
    def of(
        cls, rows: Iterable[Mapping[str, Any]], source: Path, *, key: str, items: str = "items"
    ) -> "Cells":
        """Index rows with ``metric``, ``generator``, ``value`` and the two columns named.

        Args:
            rows: the metrics.
            source: the file they come from.
            key: the column that names the row of the table.
            items: the column with the number of items.
        """
        found = {}
        for row in rows:
            value = row["value"]
            missing = value is None or math.isnan(value)
            found[row[key], row["metric"], row["generator"]] = (
                None if missing else value,
                row[items],
            )
        return cls(source, found)

    def of_entry(
        self, entry: Mapping[str, Any], metric: str, generators: Sequence[str]
    ) -> tuple[tuple[Number, ...], tuple[int | None, ...]]:
        """Return ``row`` of an entry, which its ``key`` names if not ``entry``.

        Of what cannot be had (``unavailable``) there are none.
        """
        if entry.get("unavailable"):
            return (None,) * len(generators), (None,) * len(generators)
        return self.row(entry.get("key", entry["entry"]), metric, generators)

    def row(
        self, name: str, metric: str, generators: Iterable[str]
    ) -> tuple[tuple[Number, ...], tuple[int, ...]]:
        """Return the values and the numbers of items of one row, in the generators' order.

        Raises:
            UserError: a number was never measured; it is not the same as one that is undefined.
        """
        pairs = []
        for generator in generators:
            if (name, metric, generator) not in self.found:
                raise UserError(
                    f"{self.source} has no {metric} of '{name}' for '{generator}'; delete it, and "
                    "run again so that it is measured"
                )
            pairs.append(self.found[name, metric, generator])
        values, items = zip(*pairs, strict=True)
        return values, items
