"""Every cell of the paper's tables beside ours."""

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

NOT_MEASURED = "no counterpart here"
ABSENT = "no number of ours: {}"
MADE_UP = "not compared: the data is not the paper's"
STAND_IN = "not compared: a stand-in made the number"
CITED = "as published, see config/sources.yaml"


def build_paper_comparison(
    tables: Sequence[Path],
    paper_tables: Sequence[Path],
    comparison: Path,
    *,
    leading: Mapping[str, Sequence[str]],
    cited: Sequence[str],
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
        tables: CSV of each table.
        paper_tables: the paper's numbers of the same tables (``config/paper``).
        comparison: the CSV to write, with the columns ``COLUMNS``.
        leading: number of a table -> its leading columns, ours and the paper's, the last of which
            names a row.
        cited: rows and columns of other data sets, which are as published in both.
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
        *block, row_key = leading[number]
        for theirs in read_csv(paper):
            alike = [row for row in ours if _is_counterpart(row, theirs, row_key, paper_rows)]
            columns = [name for name in theirs if name not in leading[number]]
            for column in columns:
                head = {"table": number, "block": theirs[block[0]] if block else ""}
                head |= {"row": theirs[row_key], "column": column, "paper": theirs[column]}
                is_cited = bool({column, theirs[row_key]} & set(cited))
                found = list(_counterparts(alike, columns, column, paper_columns))
                if found:
                    counts.keep()
                    lines += [
                        head | _compared(*pair, theirs[column], comparable, is_cited)
                        for pair in found
                    ]
                else:
                    counts.reject("no_counterpart")
                    why = (absent_rows or {}).get(head["row"])
                    lines.append(head | {"note": ABSENT.format(why) if why else NOT_MEASURED})
    cells = [[line.get(column, "") for column in COLUMNS] for line in lines]
    write_csv(comparison, COLUMNS, cells, banner)
    return counts


def _compared(
    row: Mapping[str, str], name: str, paper: str, comparable: bool, is_cited: bool
) -> dict[str, str]:
    note = CITED if is_cited else "" if comparable else MADE_UP
    if not note and row.get("embedded") == "true":
        note = STAND_IN
    return {
        "ours": row[name],
        "difference": "" if note else difference(row[name], paper),
        "entry": row.get("entry", ""),
        "generator": name if "entry" in row else "",
        "items": row.get(f"items_{name}", ""),
        "note": note,
    }


def _counterparts(
    rows: Iterable[Mapping[str, str]],
    columns: Sequence[str],
    column: str,
    paper_columns: Mapping[str, str],
) -> Iterator[tuple[Mapping[str, str], str]]:
    """Yield our rows and columns that correspond to one cell of the paper's.

    An average corresponds only if it is taken over the same generators. Tables of facts have the
    paper's columns.
    """
    expected = sorted(set(columns) - {PaperNumbers.AVERAGE})
    for row in rows:
        generators = [name.removeprefix("items_") for name in row if name.startswith("items_")]
        names = [name for name in generators if paper_columns.get(name) == column]
        if column == PaperNumbers.AVERAGE:
            same = sorted(paper_columns.get(name, "") for name in generators) == expected
            names = ["average"] if same else []
        elif not generators:
            names = [column]
        yield from ((row, name) for name in names if row[name] or not generators)


def _is_counterpart(
    ours: Mapping[str, str], theirs: Mapping[str, str], row_key: str, paper_rows: Mapping[str, str]
) -> bool:
    name = paper_rows.get(ours.get("entry", ""), ours[row_key])
    # Groups of Table 5 only sort the methods; metrics of Tables 3 and 4 are other numbers.
    return ours.get("metric") == theirs.get("metric") and name == theirs[row_key]


if __name__ == "__main__":
    run_job(build_paper_comparison, snakemake, comparison=Path(snakemake.output.csv))
