"""CSV files of results: texts, a banner as first line, rows in order."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path


def csv_text(header: Sequence[str], lines: Iterable[Sequence[str]], banner: str) -> str:
    """Return CSV with a banner as its first line; texts with a ``#`` are quoted.

    The banner begins with ``#`` (pandas: ``comment="#"``).
    """
    text = io.StringIO()
    if banner:
        text.write(f"# {one_line(banner)}\n")
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for cells in [header, *lines]:
        (quoting if any("#" in str(cell) for cell in cells) else writer).writerow(cells)
    return text.getvalue()


def write_csv(
    path: Path, header: Sequence[str], lines: Iterable[Sequence[str]], banner: str
) -> None:
    """Write ``csv_text`` into a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(header, lines, banner), encoding="utf-8")


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file as texts; a banner is passed over."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = file.readlines()
    return list(csv.DictReader(lines[1:] if lines and lines[0].startswith("#") else lines))


def one_line(text: str) -> str:
    """Return a text without line breaks and runs of spaces."""
    return " ".join(text.split())
