"""What Tables 3 and 4 share: a block of accuracies, one of average precisions, a blind guess."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import Cells, Row, Section
from scripts.common.schemas.detect import ACCURACY, MAP, METRICS
from scripts.common.tables import read_table

BLOCKS = {ACCURACY: "Accuracy (%)", MAP: "mAP (%)"}
GUESS = "Blind Guess"


def detection_sections(
    metrics: Path,
    *,
    table: str,
    classes: int,
    rows: Sequence[Mapping[str, Any]],
    generators: Sequence[str],
) -> tuple[Section, ...]:
    """Return the two blocks of a table of detectors, each with a blind guess first.

    The test sets hold the same number of videos of each class, so that a blind guess has an
    accuracy of 1 / classes, and an average precision of the share of the positives, the same.

    Args:
        metrics: table of detection ``METRICS``, values in [0, 1].
        table: which rows of it: table3 or table4.
        classes: that are told apart.
        rows: in order: ``setting`` (as in the metrics), ``label``, ``entry``, ``embedded``.
        generators: columns, in order.

    Raises:
        UserError: a number was never measured.
    """
    measured = [row for row in read_table(metrics, METRICS).to_pylist() if row["table"] == table]
    cells = Cells.of(measured, metrics, key="setting")
    sections = []
    for metric, title in BLOCKS.items():
        guess = Row(
            (metric, GUESS),
            (GUESS,),
            (1 / classes,) * len(generators),
            (None,) * len(generators),
        )
        shown = [
            Row(
                (metric, row["label"]),
                (row["label"],),
                *cells.row(row["setting"], metric, generators),
                row["entry"],
                row["embedded"],
            )
            for row in rows
        ]
        sections.append(Section((title,), (guess, *shown)))
    return tuple(sections)
