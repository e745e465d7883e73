"""TIP-Camera as a table: the share of each generator's videos that do the move asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import PaperTable, Section, row_of_shares
from scripts.analyse.table_faces import laid_out
from scripts.common.job import run_job
from scripts.common.schemas.evaluate import CAMERA
from scripts.common.tables import read_table

Entry = Mapping[str, Any]
SOURCES = {"parameter": "Typed as -camera", "text": "Words of the prompt"}


@laid_out
def build_camera(
    camera: Path, *, layout: Mapping[str, Any], generators: Sequence[Entry]
) -> PaperTable:
    """Lay out who does what was asked for: a row for each source and move.

    Args:
        camera: table of ``CAMERA``.
        layout: the table's, as ``config/beyond.yaml`` has it.
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
    """
    found = {
        (row["source"], row["asked"], row["generator"]): row
        for row in read_table(camera, CAMERA).to_pylist()
    }
    moves = dict.fromkeys((source, asked) for source, asked, _ in found)
    names, rows = [each["entry"] for each in generators], []
    for source in SOURCES:
        for asked in (asked for its, asked in moves if its == source):
            cells = [found.get((source, asked, name)) for name in names]
            *shares, items = (
                [cell and cell[column] for cell in cells]
                for column in ("adherence", "low", "high", "items")
            )
            leading = [SOURCES[source], asked.replace("_", " ")]
            rows.append(row_of_shares(leading, shares, items, names, entry=asked))
    return PaperTable.of(layout, generators, [Section(layout["header"], rows)])


if __name__ == "__main__":
    run_job(build_camera, snakemake)
