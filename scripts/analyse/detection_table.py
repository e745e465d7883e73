"""What Tables 3 and 4 are: a block of accuracies, one of average precisions, a blind guess in each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import (
    Cells,
    PaperTable,
    Row,
    Section,
    column_labels,
    percent_one_decimal,
    stand_in_notes,
)
from scripts.analyse.table_faces import write_paper_table
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import ACCURACY, MAP, METRICS
from scripts.common.tables import read_table

BLOCKS = {ACCURACY: "Accuracy (%)", MAP: "mAP (%)"}
GUESS = "Blind Guess"


def detection_table(
    metrics: Path,
    faces: Sequence[Path],
    *,
    number: str,
    key: str,
    caption: str,
    classes: int,
    rows: Sequence[Mapping[str, Any]],
    generators: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    banner: str,
) -> Counts:
    """Lay out a table of detectors.

    The test sets hold the same number of videos of each class, so that a blind guess has an
    accuracy of 1 / classes, and an average precision of the share of the positives, the same.

    Args:
        metrics: table of detection ``METRICS``, values in [0, 1]; those of ``table<number>`` count.
        faces: the files to write (.csv, .md, .tex, .html).
        number: the paper's.
        key: column of the CSV that names a row.
        caption: what the table shows.
        classes: that are told apart.
        rows: in order: ``setting`` (as in the metrics), ``label``, ``entry``, ``embedded``.
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
        notes: sentences below the table.
        banner: a line put on every face.

    Returns:
        Counts of numbers.

    Raises:
        UserError: a number was never measured.
    """
    measured = read_table(metrics, METRICS).to_pylist()
    measured = [row for row in measured if row["table"] == f"table{number}"]
    cells = Cells.of(measured, metrics, key="setting")
    names = [generator["entry"] for generator in generators]
    sections = []
    for metric, title in BLOCKS.items():
        even, nothing = (1 / classes,) * len(names), (None,) * len(names)
        shown = [
            Row(
                (metric, row["label"]),
                (row["label"],),
                *cells.row(row["setting"], metric, names),
                row["entry"],
                row["embedded"],
            )
            for row in rows
        ]
        sections.append(Section((title,), (Row((metric, GUESS), (GUESS,), even, nothing), *shown)))
    table = PaperTable(
        number=number,
        caption=caption,
        keys=("metric", key),
        columns=column_labels(generators),
        sections=tuple(sections),
        shown=percent_one_decimal,
        notes=(*notes, *stand_in_notes(generators)),
    )
    write_paper_table(table, faces, banner)
    return table.counts()
