"""Table 7: the generators on TIP-Eval, dimension by dimension."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import (
    Cells,
    PaperTable,
    Row,
    Section,
    column_labels,
    stand_in_notes,
    three_decimals,
)
from scripts.analyse.table_faces import write_paper_table
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.evaluate import EVALUATION_SUMMARY
from scripts.common.tables import read_table

MEAN = "mean"
"""The metric of the summary that the table shows."""


def build_table7(
    summary: Path,
    faces: Sequence[Path],
    *,
    generators: Sequence[Mapping[str, Any]],
    dimensions: Sequence[Mapping[str, Any]],
    banner: str,
) -> Counts:
    """Lay out Table 7 (Supplement 12): one row for each dimension.

    Args:
        summary: table of ``EVALUATION_SUMMARY``: the mean score of each generator in each dimension.
        faces: the files to write (.csv, .md, .tex, .html).
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
        dimensions: rows, in order: ``entry``, ``label``, ``embedded``.
        banner: a line put on every face.

    Returns:
        Counts of numbers.

    Raises:
        UserError: a number was never measured.
    """
    cells = Cells.of(read_table(summary, EVALUATION_SUMMARY).to_pylist(), summary, key="dimension")
    names = [generator["entry"] for generator in generators]
    rows = [
        Row(
            (dimension["label"],),
            (dimension["label"],),
            *cells.row(dimension["entry"], MEAN, names),
            dimension["entry"],
            dimension["embedded"],
        )
        for dimension in dimensions
    ]
    table = PaperTable(
        number="7",
        caption="The generators on TIP-Eval: mean score of their videos in each dimension. "
        "Figure 6 draws these numbers.",
        keys=("dimension",),
        columns=column_labels(generators),
        sections=(Section(("Dimension",), tuple(rows)),),
        shown=three_decimals,
        average=False,
        notes=("Items: videos per generator.", *stand_in_notes(generators)),
    )
    write_paper_table(table, faces, banner)
    return table.counts()


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = build_table7(
            summary=Path(snakemake.input.summary),
            faces=[Path(path) for path in snakemake.output[:4]],
            generators=snakemake.params.generators,
            dimensions=snakemake.params.dimensions,
            banner=snakemake.params.banner,
        )
        log.finish(counts)
