"""A table of the paper as a value: sections of rows of numbers; ``table_faces`` writes it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from scripts.common.rule_log import Counts

NOTHING = "–"
"""What a reader sees where there is no number."""

Number = float | str | None
"""What a cell holds; tables of facts have texts."""


@dataclass(frozen=True)
class Row:
    """One row of numbers.

    Attributes:
        cells: the leading cells, such as ("UnivFD",).
        values: one number for each column, in the unit of the table; None where there is none.
        items: for each column, on how many items the number stands; None where that has no sense.
        entry: the entry of a sheet that the row shows.
        embedded: whether that is an offline stand-in for a model of the paper.
        paper: what the paper prints in each column, and last in that of the averages, where there
            is one; empty where the row or the data is not the paper's.
        texts: what readers see instead of ``values``, such as intervals.
        more: further cells of the CSV, by column.
    """

    cells: Sequence[str]
    values: Sequence[Number]
    items: Sequence[int | None]
    entry: str = ""
    embedded: bool = False
    paper: Sequence[str] = ()
    texts: Sequence[str] = ()
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """Rows under one header; in the CSV, ``block`` comes before the cells of each.

    So the block of accuracies in Table 3 is one, and that of the average precisions another.
    """

    header: Sequence[str]
    rows: Sequence[Row]
    block: Sequence[str] = ()


@dataclass(frozen=True)
class PaperTable:
    """A table in the paper's layout.

    Attributes:
        number: the paper's number, such as "3"; the title of a table that the paper lacks.
        caption: what it shows, one or two sentences.
        keys: names of the leading columns of the CSV.
        generators: the columns, in order: ``entry``, ``label``, ``embedded``.
        sections: the rows, in the paper's order and grouping.
        supplements: sections below them for readers; the CSV has their numbers in other columns.
        shown: how a number is written.
        average: whether the mean of the columns ends each row.
        counted: whether numbers stand on items of entries; facts do not.
        notes: sentences below the table; one that names stand-ins among the generators follows.
    """

    number: str
    caption: str
    keys: Sequence[str]
    generators: Sequence[Mapping[str, Any]]
    sections: Sequence[Section]
    shown: Callable[[Any], str]
    average: bool = False
    counted: bool = True
    notes: Sequence[str] = ()
    supplements: Sequence[Section] = ()

    @classmethod
    def of(
        cls,
        layout: Mapping[str, Any],
        generators: Sequence[Mapping[str, Any]],
        sections: Sequence[Section],
        **others: Any,
    ) -> "PaperTable":
        """Return a table with what the sheet says of it; ``others`` are attributes beside or instead."""
        said = {
            "number": layout.get("title", ""),
            "caption": layout["caption"],
            "keys": layout["keys"],
            "shown": SHOWN[layout.get("shown", "text")],
            "average": layout.get("average", False),
            "notes": layout.get("notes", []),
        }
        return cls(generators=generators, sections=sections, **said | others)

    @property
    def title(self) -> str:
        """How the table is called."""
        return f"Table {self.number}" if self.number.isdigit() else self.number

    @property
    def rows(self) -> list[Row]:
        """All rows, in order."""
        return [row for section in self.sections for row in section.rows]

    @property
    def all_notes(self) -> list[str]:
        """The notes, and which generators stand in for models of the paper."""
        names = [each["label"] for each in self.generators if each["embedded"]]
        stand_ins = f"Generators that are offline stand-ins: {', '.join(names)}."
        return [*self.notes, *([stand_ins] if names else [])]

    def numbers(self, row: Row) -> list[Number]:
        """Return a row's values, and their mean where there are averages."""
        return [*row.values, *([mean_of(row.values)] if self.average else [])]

    def counts(self) -> Counts:
        """Return how many numbers of entries there are, and how many are missing."""
        counts = Counts()
        for row in self.rows:
            if row.entry or not self.counted:
                known = sum(value is not None for value in row.values)
                counts.keep(known)
                counts.reject("no_value", len(row.values) - known)
        return counts


class PaperNumbers:
    """The paper's numbers of one table, as it prints them, by its rows and our columns."""

    AVERAGE = "Avg."

    def __init__(
        self,
        rows: Iterable[Mapping[str, str]],
        generators: Iterable[Mapping[str, Any]],
        key: str,
    ):
        """Index the paper's rows.

        Args:
            rows: of ``config/paper``; none where the data is not the paper's.
            generators: our columns, in order: ``paper`` is the paper's column, if it has one.
            key: the last leading column, which names a row; columns of numbers follow it.
        """
        self._rows = {row[key]: row for row in rows}
        self._columns = [generator.get("paper") or "" for generator in generators]
        theirs = list(next(iter(self._rows.values()), {}))
        theirs = theirs[theirs.index(key) + 1 :] if theirs else []
        if self.AVERAGE in theirs:
            # An average is the paper's only if it is taken over the same generators.
            same = sorted([*self._columns, self.AVERAGE]) == sorted(theirs)
            self._columns.append(self.AVERAGE if same else "")

    def row(self, entry: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what the paper prints in an entry's row, last its average if it has averages.

        Empty for a stand-in, and if the paper has no such row.
        """
        name = entry.get("paper") or None
        if name not in self._rows or entry["embedded"]:
            return ()
        return tuple(self._rows[name].get(column, "") for column in self._columns)


def difference(ours: str, paper: str) -> str:
    """Return ours less the paper's, of the numbers as they are printed, with a sign.

    So it is exact at the paper's precision; empty where one of them is no number.
    """
    try:
        return f"{Decimal(ours.replace(',', '')) - Decimal(paper.replace(',', '')):+}"
    except InvalidOperation:
        return ""


def row_of_shares(
    cells: Sequence[str],
    shares: Sequence[Sequence[float | None]],
    items: Sequence[int | None],
    names: Sequence[str],
    **others: Any,
) -> Row:
    """Return a row of shares, as percentages with their intervals in brackets.

    Args:
        cells: the leading cells.
        shares: those of each column, their lower and their upper bounds, which the CSV has as well;
            None where there is none.
        items: of each column.
        names: of the columns.
        others: attributes of the row.
    """
    texts = [
        NOTHING if None in each else "{:.1f} [{:.0f}, {:.0f}]".format(*(100 * one for one in each))
        for each in zip(*shares, strict=True)
    ]
    more = {
        f"{bound}_{name}": "" if share is None else percent_one_decimal(share)
        for bound, found in zip(("low", "high"), shares[1:], strict=True)
        for name, share in zip(names, found, strict=True)
    }
    return Row(cells, shares[0], items, texts=texts, more=more, **others)


def percent(value: float) -> str:
    """Write a percentage as Table 5 does: one decimal, but two below ten (8.71, 0.74).

    Args:
        value: a share in [0, 1].
    """
    number = 100 * value
    return f"{number:.2f}" if number < 9.995 else f"{number:.1f}"


def percent_one_decimal(value: float) -> str:
    """Write a share as a percentage with one decimal, as Tables 3 and 4 do."""
    return f"{100 * value:.1f}"


SHOWN: Mapping[str, Callable[[Any], str]] = {
    "percent": percent,
    "percent_one_decimal": percent_one_decimal,
    "three_decimals": "{:.3f}".format,
    "signed_two_decimals": "{:+.2f}".format,
    "text": str,
}
"""How a layout says that numbers are written -> what writes one."""


def known_number(value: Number) -> Number:
    """Return a number, or None for one that is missing or undefined."""
    return None if value is None or math.isnan(value) else value


def mean_of(values: Sequence[Number]) -> Number:
    """Return the mean, or None if a value is missing: a mean of fewer columns is another number."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None
