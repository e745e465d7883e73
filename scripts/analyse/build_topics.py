"""The three subjects and directions that each generator does best, and worst, as a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.analyse.paper_table import NOTHING, PaperTable, Row, Section
from scripts.analyse.table_faces import laid_out
from scripts.common.job import run_job
from scripts.common.schemas.analyse import DIRECTION, SUBJECT
from scripts.common.schemas.evaluate import TOPICS
from scripts.common.tables import read_frame

SHOWN = 3


@laid_out
def build_topics(
    topics: Path,
    *,
    layout: Mapping[str, Any],
    generators: Sequence[Mapping[str, Any]],
    least: int,
) -> PaperTable:
    """Lay out each generator's best and worst names.

    Args:
        topics: table of ``TOPICS``.
        layout: the table's, as ``config/beyond.yaml`` has it.
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
        least: videos that a generator must have of a name.
    """
    rows = read_frame(topics, TOPICS)
    rows = rows[rows["items"] >= least]
    lines = []
    for kind in (SUBJECT, DIRECTION):
        own = [rows[(rows["kind"] == kind) & (rows["generator"] == each["entry"])]
               .sort_values(["score", "name"], ascending=[False, True]) for each in generators]  # fmt: skip
        for end, tables in (("best", own), ("worst", [table[::-1] for table in own])):
            lines += [_row(kind, f"{end} {place + 1}", tables, place) for place in range(SHOWN)]
    notes = [note.format(least=least) for note in layout["notes"]]
    return PaperTable.of(layout, generators, [Section(layout["header"], lines)], notes=notes)


def _row(kind: str, place: str, tables: Sequence[pd.DataFrame], number: int) -> Row:
    """Return one place of all generators; one that has not so many names has none."""
    found = [table.iloc[number] if number < len(table) else None for table in tables]
    return Row(
        [kind, place],
        [None if one is None else float(one["score"]) for one in found],
        [None if one is None else int(one["items"]) for one in found],
        place.replace(" ", "_"),
        texts=[NOTHING if one is None else f"{one['name']} ({one['score']:+.2f})" for one in found],
    )


if __name__ == "__main__":
    run_job(build_topics, snakemake)
