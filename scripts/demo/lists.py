"""The lists that the demo draws from: the tables beside this module, as a newcomer may extend them."""

import csv
from functools import cache
from pathlib import Path


@cache
def table(name: str) -> list[dict[str, str]]:
    """Return the rows of ``<name>.csv``, cells by column."""
    with Path(__file__).with_name(f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def texts(cell: str) -> tuple[str, ...]:
    """Return the texts of a cell; ``;`` stands between them."""
    return tuple(cell.split(";")) if cell else ()


def phrases(name: str) -> dict[str, tuple[str, ...]]:
    """Return a list of phrases.csv by its parts: of a grammar what may stand at each place."""
    return {row["part"]: texts(row["texts"]) for row in table("phrases") if row["of"] == name}
