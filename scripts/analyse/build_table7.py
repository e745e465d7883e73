"""Table 7: the generators on TIP-Eval, dimension by dimension."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import (
    Cells,
    PaperNumbers,
    PaperTable,
    Row,
    Section,
    column_labels,
    comparison_notes,
    stand_in_notes,
    three_decimals,
)
from scripts.analyse.table_faces import read_csv, write_paper_table
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.evaluate import EVALUATION_SUMMARY
from scripts.common.tables import read_table

MEAN = "mean"
"""The metric of the summary that the table shows."""

KEYS = ("dimension",)


def build_table7(
    summary: Path,
    faces: Sequence[Path],
    *,
    generators: Sequence[Mapping[str, Any]],
    dimensions: Sequence[Mapping[str, Any]],
    banner: str,
    paper: Path | None = None,
) -> Counts:
    """Lay out Table 7 (Supplement 12): one row for each dimension.

    Where the data is the paper's, its number and the difference stand beside each of ours that no
    stand-in made; a dimension whose network cannot be had is a row of the paper's numbers.

    Args:
        summary: table of ``EVALUATION_SUMMARY``: the mean score of each generator in each dimension.
        faces: the files to write (.csv, .md, .tex, .html).
        generators: columns, in order: ``entry``, ``label``, ``embedded``, and perhaps ``paper``,
            the paper's column.
        dimensions: rows, in order: ``entry``, ``label``, ``embedded`` and perhaps ``paper`` (the
            paper's row) and ``unavailable`` (why there is no number).
        banner: a line put on every face.
        paper: the paper's numbers (config/paper/table7.csv), if the data is the paper's.

    Returns:
        Counts of numbers.

    Raises:
        UserError: a number was never measured.
    """
    cells = Cells.of(read_table(summary, EVALUATION_SUMMARY).to_pylist(), summary, key="dimension")
    names = [generator["entry"] for generator in generators]
    theirs = PaperNumbers(read_csv(paper) if paper else [], generators, KEYS)
    rows = [
        Row(
            (dimension["label"],),
            (dimension["label"],),
            *cells.of_entry(dimension, MEAN, names),
            dimension["entry"],
            dimension["embedded"],
            paper=theirs.row(dimension),
        )
        for dimension in dimensions
    ]
    table = PaperTable(
        number="7",
        caption="The generators on TIP-Eval: mean score of their videos in each dimension. "
        "Figure 6 draws these numbers.",
        keys=KEYS,
        columns=column_labels(generators),
        sections=(Section(("Dimension",), tuple(rows)),),
        shown=three_decimals,
        average=False,
        notes=(
            "Items: videos per generator.",
            *comparison_notes(rows, dimensions),
            *stand_in_notes(generators),
        ),
    )
    write_paper_table(table, faces, banner)
    return table.counts()


if __name__ == "__main__":
    run_job(build_table7, snakemake)
