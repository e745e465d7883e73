"""The paper's numbers beside ours, one row for each number that has a counterpart."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scripts.analyse.csv_files import read_csv, write_csv
from scripts.analyse.paper_table import PaperNumbers, difference
from scripts.common.job import run_job
from scripts.common.rule_log import Counts

COLUMNS = [
    "table", "block", "row", "column", "paper", "ours", "difference", "entry", "generator",
    "items", "note",
]  # fmt: skip

KEYS = {
    "3": ("metric", "detector"),
    "4": ("metric", "setting"),
    "5": ("group", "method"),
    "7": ("dimension",),
}
"""The leading columns of each table, ours and the paper's."""

BLOCKS = {number: keys[0] if len(keys) > 1 else "" for number, keys in KEYS.items()}
ROWS = {number: keys[-1] for number, keys in KEYS.items()}
NOT_MEASURED = "no counterpart here"
ABSENT = "no number of ours: {}"
MADE_UP = "not compared: the data is not the paper's"
STAND_IN = "not compared: a stand-in made the number"


def build_paper_comparison(
    tables: Sequence[Path],
    paper_tables: Sequence[Path],
    comparison: Path,
    *,
    paper_rows: Mapping[str, str],
    paper_columns: Mapping[str, str],
    comparable: bool,
    banner: str,
    absent_rows: Mapping[str, str] | None = None,
) -> Counts:
    """Write each of the paper's numbers beside ours, and the difference.

    The difference is that of the numbers as they are printed, so that it is exact at the paper's
    precision. It is stated only where the data is the paper's and no stand-in made the number.

    Args:
        tables: CSV of each table, from ``build_table<number>``.
        paper_tables: the paper's numbers of the same tables (``config/paper``).
        comparison: the CSV to write, with the columns ``COLUMNS``.
        paper_rows: entry -> the row of the paper that it corresponds to. Rows without an entry
            (a blind guess) and the settings of trained models are called as in the paper.
        paper_columns: generator -> the column of the paper that it corresponds to.
        comparable: whether the data is the paper's.
        banner: a line put on top.
        absent_rows: row of the paper -> why nobody can measure it.

    Returns:
        Counts of the paper's numbers: with a counterpart, or without.
    """
    lines = []
    counts = Counts()
    for path, paper in zip(tables, paper_tables, strict=True):
        number, ours = path.stem.removeprefix("table"), read_csv(path)
        for theirs in read_csv(paper):
            alike = [row for row in ours if _is_counterpart(number, row, theirs, paper_rows)]
            for column in list(theirs)[len(KEYS[number]) :]:
                head = {
                    "table": number,
                    "block": theirs.get(BLOCKS[number], ""),
                    "row": theirs[ROWS[number]],
                    "column": column,
                    "paper": theirs[column],
                }
                found = list(_counterparts(number, alike, theirs, column, paper_columns))
                if found:
                    counts.keep()
                    lines += [head | _compared(*pair, theirs[column], comparable) for pair in found]
                else:
                    counts.reject("no_counterpart")
                    why = (absent_rows or {}).get(head["row"])
                    lines.append(head | {"note": ABSENT.format(why) if why else NOT_MEASURED})
    cells = [[line.get(column, "") for column in COLUMNS] for line in lines]
    write_csv(comparison, COLUMNS, cells, banner)
    return counts


def _compared(
    row: Mapping[str, str], generator: str, paper: str, comparable: bool
) -> dict[str, str]:
    note = "" if comparable else MADE_UP
    if comparable and row["embedded"] == "true":
        note = STAND_IN
    return {
        "ours": row[generator],
        "difference": "" if note else difference(row[generator], paper),
        "entry": row["entry"],
        "generator": generator,
        "items": row.get(f"items_{generator}", ""),
        "note": note,
    }


def _counterparts(
    number: str,
    rows: Iterable[Mapping[str, str]],
    theirs: Mapping[str, str],
    column: str,
    paper_columns: Mapping[str, str],
) -> Iterator[tuple[Mapping[str, str], str]]:
    """Yield our rows and columns that correspond to one number of the paper's.

    An average corresponds only if it is taken over the same generators.
    """
    expected = sorted(set(theirs) - set(KEYS[number]) - {PaperNumbers.AVERAGE})
    for row in rows:
        generators = [name.removeprefix("items_") for name in row if name.startswith("items_")]
        names = [name for name in generators if paper_columns.get(name) == column]
        if column == PaperNumbers.AVERAGE:
            same = sorted(paper_columns.get(name, "") for name in generators) == expected
            names = ["average"] if same else []
        yield from ((row, name) for name in names if row[name])


def _is_counterpart(
    number: str, ours: Mapping[str, str], theirs: Mapping[str, str], paper_rows: Mapping[str, str]
) -> bool:
    name = paper_rows.get(ours["entry"], ours[ROWS[number]])
    # Groups of Table 5 only sort the methods; metrics of Tables 3 and 4 are other numbers.
    same_metric = ours.get("metric") == theirs.get("metric")
    return same_metric and name == theirs[ROWS[number]]


if __name__ == "__main__":
    run_job(build_paper_comparison, snakemake, comparison=Path(snakemake.output.csv))
