"""A table of the paper, from tidy metrics, laid out as ``config/paper/tables.yaml`` says."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.csv_files import read_csv
from scripts.analyse.paper_table import (
    NOTHING,
    SHOWN,
    PaperNumbers,
    PaperTable,
    Row,
    Section,
    known_number,
)
from scripts.analyse.table_faces import laid_out
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.tables import read_table

GUESS = "Blind Guess"

Entry = Mapping[str, Any]


@laid_out
def build_table(
    metrics: Path,
    *,
    number: str,
    layout: Mapping[str, Any],
    rows: Sequence[Entry],
    generators: Sequence[Entry],
    paper: Path | None = None,
) -> PaperTable:
    """Lay out a table: a block of rows for each of its metrics, then what supplements them.

    Where the data is the paper's, its number and the difference stand beside each of ours that no
    stand-in made; what cannot be had is a row of the paper's numbers. The test sets of detectors
    hold the same number of videos of each class, so that a blind guess has an accuracy of
    1 / classes, and an average precision of the share of the positives, the same.

    Args:
        metrics: tidy metrics: ``metric``, ``generator``, ``value`` and the columns that the layout
            names; shares lie in [0, 1].
        number: the paper's, such as "3".
        layout: of the table, as the sheet has it.
        rows: entries, in order: ``entry``, the leading cells, ``embedded``, and perhaps ``key`` (what
            the metrics call it, if not ``entry``), ``paper`` (the paper's row) and ``unavailable``
            (why there is no number).
        generators: columns, in order: ``entry``, ``label``, ``embedded``, and perhaps ``paper``,
            the paper's column.
        paper: the paper's numbers (``config/paper``), if the data is the paper's.

    Raises:
        UserError: a number was never measured.
    """
    measured = Measured(metrics, layout, generators, paper)
    there = [entry for entry in rows if not entry.get("unavailable")]
    sections = [
        Section(header, measured.block(rows, metric), (metric,) * ("classes" in layout))
        for metric, header in layout["blocks"].items()
    ]
    supplements = [
        Section(header, [measured.row(entry, metric) for entry in there])
        for metric, header in layout.get("supplements", {}).items()
    ]
    if intervals := layout.get("intervals"):
        bounds = [measured.interval(entry) for entry in there]
        supplements.insert(0, Section(intervals["header"], bounds))
    shown = [row for section in sections for row in section.rows]
    return PaperTable.of(
        layout,
        generators,
        sections,
        number=number,
        notes=[
            *measured.notes(),
            *comparison_notes(shown, rows),
            *([layout["alone"]] if "alone" in layout and len(generators) == 1 else []),
            *([layout["clips"]] if any(row["label"].endswith("(clip)") for row in rows) else []),
            *layout.get("closing", []),
        ],
        supplements=supplements,
    )


class Measured:
    """Tidy metrics as rows of a table, and the paper's numbers beside them where they may be."""

    def __init__(
        self,
        metrics: Path,
        layout: Mapping[str, Any],
        generators: Sequence[Entry],
        paper: Path | None,
    ):
        """Index the metrics; the arguments are those of ``build_table``."""
        only = layout.get("only", {})
        self.rows = [row for row in read_table(metrics).to_pylist() if only.items() <= row.items()]
        self._found = {(row[layout["row"]], row["metric"], row["generator"]): row
                       for row in self.rows}  # fmt: skip
        self._names = [generator["entry"] for generator in generators]
        self._metrics, self._layout = metrics, layout
        self._theirs = PaperNumbers(
            read_csv(paper) if paper else [], generators, layout["keys"][-1]
        )
        self._shown = SHOWN[layout["shown"]]

    def _cells(self, entry: Entry, metric: str, column: str) -> list:
        """Return a column of the metrics of an entry, in the generators' order.

        Of what cannot be had there are none. A number that was never measured is not the same as
        one that is undefined.
        """
        key = entry.get("key", entry["entry"])
        if entry.get("unavailable"):
            return [None] * len(self._names)
        for name in self._names:
            if (key, metric, name) not in self._found:
                raise UserError(
                    f"{self._metrics} has no {metric} of '{key}' for '{name}'; delete it, and run "
                    "again so that it is measured"
                )
        return [self._found[key, metric, name][column] for name in self._names]

    def row(self, entry: Entry, metric: str, **more) -> Row:
        """Return the row of an entry; ``more`` are further attributes of it."""
        values = map(known_number, self._cells(entry, metric, "value"))
        items = self._cells(entry, metric, self._layout["items"])
        cells = [entry[name] for name in self._layout["cells"]]
        return Row(cells, list(values), items, entry["entry"], entry["embedded"], **more)

    def block(self, entries: Sequence[Entry], metric: str) -> list[Row]:
        """Return the rows of a metric, the paper's numbers beside; first a guess if there is one."""
        rows = []
        if classes := self._layout.get("classes"):
            columns = len(self._names)
            rows.append(Row([GUESS], [1 / classes] * columns, [None] * columns))
        for entry in entries:
            paper, more = self._theirs.row(entry), self._more(entry, metric)
            rows.append(self.row(entry, metric, paper=paper, more=more))
        return rows

    def interval(self, entry: Entry) -> Row:
        """Return the row of an entry's intervals: bounds as texts, and no average."""
        low, high = (self.row(entry, metric) for metric in self._layout["intervals"]["metrics"])
        texts = [
            NOTHING if None in bounds else "–".join(map(self._shown, bounds))
            for bounds in zip(low.values, high.values, strict=True)
        ]
        texts += [NOTHING] * self._layout.get("average", False)
        return self.row(entry, self._layout["intervals"]["metrics"][0], texts=texts)

    def _more(self, entry: Entry, metric: str) -> dict[str, str]:
        """Return the further cells of a row of the CSV."""
        bounds = self._layout.get("intervals", {}).get("metrics", [])
        more = {}
        for other in [*bounds, *self._layout.get("supplements", {})]:
            for name, value in zip(self._names, self.row(entry, other).values, strict=True):
                more[f"{other}_{name}"] = "" if value is None else self._shown(value)
        for column in self._layout.get("stands_on", []):
            found = zip(self._names, self._cells(entry, metric, column), strict=True)
            more |= {f"{column}_{name}": "" if n is None else str(n) for name, n in found}
        return more

    def notes(self) -> list[str]:
        """Return the layout's notes with the spans of numbers in them."""
        columns = self._layout.get("stands_on", [])
        shown = [row for row in self.rows if row["metric"] in self._layout["blocks"]]
        counts = {column: sorted({row[column] for row in shown}) for column in columns}
        spans = {
            column: f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
            for column, found in counts.items()
        }
        return [
            note.format(**spans)
            for note in self._layout["notes"]
            if not (named := re.findall(r"\{(\w+)\}", note))
            or any(counts[column][-1] for column in named)
        ]


def comparison_notes(rows: Sequence[Row], entries: Sequence[Entry]) -> list[str]:
    """Return what the brackets of compared rows say, and why entries have no number of ours."""
    notes = ["In brackets: the paper's number, and ours less the paper's."]
    return notes * any(row.paper for row in rows) + [
        f"{entry['label']} has no number of ours: {entry['unavailable']}."
        for entry in entries
        if entry.get("unavailable")
    ]


if __name__ == "__main__":
    run_job(build_table, snakemake)
