"""TIP-Camera as a table: the share of each generator's videos that do the move asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import NOTHING, PaperTable, Row, Section, percent_one_decimal
from scripts.analyse.table_faces import laid_out
from scripts.common.job import run_job
from scripts.common.schemas.evaluate import CAMERA
from scripts.common.tables import read_table

Entry = Mapping[str, Any]
SOURCES = {"parameter": "Typed as -camera", "text": "Words of the prompt"}


@laid_out
def build_camera(camera: Path, *, generators: Sequence[Entry]) -> PaperTable:
    """Lay out who does what was asked for: a row for each source and move.

    Args:
        camera: table of ``CAMERA``.
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
    """
    found = {
        (row["source"], row["asked"], row["generator"]): row
        for row in read_table(camera, CAMERA).to_pylist()
    }
    moves = dict.fromkeys((source, asked) for source, asked, _ in found)
    rows = []
    for source in SOURCES:
        for asked in (asked for its, asked in moves if its == source):
            cells = [found.get((source, asked, each["entry"])) for each in generators]
            rows.append(_row(SOURCES[source], asked, cells, generators))
    return PaperTable(
        number="TIP-Camera",
        caption="The share of videos (%) that do the camera move that their prompt asks for, with "
        "95 % intervals.",
        keys=["source", "asked"],
        generators=generators,
        sections=[Section(["Asked by", "Move"], rows)],
        shown=percent_one_decimal,
        average=False,
        notes=[
            "Items: videos whose camera was measured. A video that does another move besides counts.",
            "Only Pika reads what is typed as -camera: the share of other generators' videos that "
            "follow it is what happens by chance.",
            "A rotation counts in either sense.",
        ],
    )


def _row(
    source: str, asked: str, cells: Sequence[Mapping | None], generators: Sequence[Entry]
) -> Row:
    more = {
        f"{what}_{generator['entry']}": f"{100 * cell[what]:.1f}" if cell else ""
        for what in ("low", "high")
        for generator, cell in zip(generators, cells, strict=True)
    }
    return Row(
        [source, asked.replace("_", " ")],
        [cell and cell["adherence"] for cell in cells],
        [cell and cell["items"] for cell in cells],
        asked,
        texts=[
            f"{100 * cell['adherence']:.1f} [{100 * cell['low']:.0f}, {100 * cell['high']:.0f}]"
            if cell
            else NOTHING
            for cell in cells
        ],
        more=more,
    )


if __name__ == "__main__":
    run_job(build_camera, snakemake)
