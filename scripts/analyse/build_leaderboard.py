"""The leaderboard: means and ranks of the generators on the same prompts, with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import NOTHING, PaperTable, Row, Section
from scripts.analyse.table_faces import laid_out
from scripts.common.job import run_job
from scripts.common.schemas.evaluate import LEADERBOARD
from scripts.common.tables import read_table

Entry = Mapping[str, Any]
MORE = ("low", "high", "rank", "rank_low", "rank_high")


@laid_out
def build_leaderboard(
    leaderboard: Path,
    *,
    layout: Mapping[str, Any],
    dimensions: Sequence[Entry],
    generators: Sequence[Entry],
) -> PaperTable:
    """Lay out the leaderboard: a row for each dimension that was measured.

    Args:
        leaderboard: table of ``LEADERBOARD``.
        layout: the table's, as ``config/beyond.yaml`` has it.
        dimensions: rows, in order: ``entry``, ``label``, ``embedded``.
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
    """
    found = {
        (row["dimension"], row["generator"]): row
        for row in read_table(leaderboard, LEADERBOARD).to_pylist()
    }
    rows = [
        _row(dimension, [found.get((dimension["entry"], each["entry"])) for each in generators],
             generators)
        for dimension in dimensions
        if not dimension.get("unavailable")
    ]  # fmt: skip
    return PaperTable.of(layout, generators, [Section(layout["header"], rows)])


def _row(dimension: Entry, cells: Sequence[Mapping | None], generators: Sequence[Entry]) -> Row:
    """Return a dimension's row; a generator without a score of any prompt has none of the rest."""
    known = next((cell for cell in cells if cell), {})
    smallest = known.get("smallest_difference")
    more = {}
    for generator, cell in zip(generators, cells, strict=True):
        for what in MORE:
            value = cell[what] if cell else ""
            more[f"{what}_{generator['entry']}"] = (
                f"{value:.3f}" if isinstance(value, float) else str(value)
            )
    return Row(
        [dimension["label"], NOTHING if smallest is None else f"{smallest:.4f}"],
        [cell and cell["mean"] for cell in cells],
        [cell and cell["items"] for cell in cells],
        dimension["entry"],
        dimension["embedded"],
        texts=[_text(cell) for cell in cells],
        more=more,
    )


def _text(cell: Mapping | None) -> str:
    if cell is None:
        return NOTHING
    first, last = cell["rank_low"], cell["rank_high"]
    ranks = str(first) if first == last else f"{first}–{last}"
    # In a narrow cell the line breaks before an interval and behind it, where the rank's dot is.
    interval = f"[{cell['low']:.3f},\N{NO-BREAK SPACE}{cell['high']:.3f}]"
    return f"{cell['mean']:.3f} {interval} ·\N{NO-BREAK SPACE}{ranks}"


if __name__ == "__main__":
    run_job(build_leaderboard, snakemake)
