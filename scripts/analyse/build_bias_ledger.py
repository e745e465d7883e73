"""The bias ledger as a table: what Tables 3 and 4 come to where the format cannot tell classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import (
    NOTHING,
    PaperTable,
    Row,
    Section,
    mean_of,
    percent_one_decimal,
    row_of_shares,
)
from scripts.analyse.table_faces import laid_out
from scripts.common.job import run_job
from scripts.common.schemas.detect import (
    ACCURACY,
    ACCURACY_HIGH,
    ACCURACY_LOW,
    BIAS,
    EXPLAINED,
    SHORTCUT_TESTS,
)
from scripts.common.tables import read_table
from scripts.detect.controls import AS_IS

Entry = Mapping[str, Any]
CONTAINER = "container"


@laid_out
def build_bias_ledger(
    bias: Path,
    shortcuts: Path,
    *,
    layout: Mapping[str, Any],
    rows: Mapping[str, Sequence[Entry]],
    controls: Mapping[str, str],
    generators: Sequence[Entry],
) -> PaperTable:
    """Lay out accuracies under each control, the share that is lost, and single properties.

    Args:
        bias: table of ``BIAS``.
        shortcuts: table of ``SHORTCUT_TESTS``.
        layout: the table's, as ``config/beyond.yaml`` has it.
        rows: table3 and table4 -> its rows: ``entry``, ``label``, ``embedded`` and perhaps ``key``.
        controls: key -> label, in order.
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
    """
    ledger = Ledger(bias, [each["entry"] for each in generators])
    sections = []
    for table, models in rows.items():
        container = {"entry": CONTAINER, "label": "Container alone", "embedded": False}
        accuracies, lost = [], []
        for model in [container, *models]:
            for control, label in controls.items():
                accuracies += ledger.row(table, model, control, label, ACCURACY)
                lost += ledger.row(table, model, control, label, EXPLAINED)
        header = layout["header"][table]
        sections.append(
            Section([f"{header}, accuracy (%)", "Videos"], accuracies, (table, ACCURACY))
        )
        if lost:
            named = [f"{header}, share of the accuracy above guessing that is lost (%)", "Videos"]
            sections.append(Section(named, lost, (table, EXPLAINED)))
    tests = read_table(shortcuts, SHORTCUT_TESTS).to_pylist()
    for against in dict.fromkeys(row["against"] for row in tests):
        alone = [row for row in tests if row["against"] == against and row["control"] == AS_IS]
        sections.append(_alone(against, alone, generators))
    return PaperTable.of(layout, generators, sections)


class Ledger:
    """Tidy numbers of the ledger as rows of a table."""

    def __init__(self, bias: Path, names: Sequence[str]):
        """Index the numbers by what tells them apart."""
        self._names = names
        keys = ("table", "setting", "control", "generator", "metric")
        self._found = {
            tuple(row[key] for key in keys): row for row in read_table(bias, BIAS).to_pylist()
        }

    def row(self, table: str, model: Entry, control: str, label: str, metric: str) -> list[Row]:
        """Return a row of a model under a control, or none if there is no such number."""
        place = (table, model.get("key", model["entry"]), control)
        cells = [self._found.get((*place, name, metric)) for name in self._names]
        if not any(cells):
            return []
        leading, values = [model["label"], label], [cell and cell["value"] for cell in cells]
        backend = {"entry": model["entry"], "embedded": model["embedded"]}
        if metric != ACCURACY:
            return [Row(leading, values, [None] * len(cells), **backend)]
        bounds = [
            [self._found.get((*place, name, bound), {}).get("value") for name in self._names]
            for bound in (ACCURACY_LOW, ACCURACY_HIGH)
        ]
        items = [cell and cell["items"] for cell in cells]
        row = row_of_shares(leading, [values, *bounds], items, self._names, **backend)
        mean = mean_of(values)
        average = NOTHING if mean is None else percent_one_decimal(mean)
        return [replace(row, texts=[*row.texts, average])]


def _alone(against: str, tests: Sequence[Mapping], generators: Sequence[Entry]) -> Section:
    """Return the accuracies of single properties, against one class."""
    by_place = {(row["shortcut"], row["generator"]): row for row in tests}
    names = [each["entry"] for each in generators]
    rows = []
    for shortcut in dict.fromkeys(row["shortcut"] for row in tests):
        cells = [by_place[shortcut, name] for name in names]
        values = [cell["accuracy"] for cell in cells]
        texts = [f"{100 * cell['accuracy']:.1f}{' *' * cell['is_found']}" for cell in cells]
        texts.append(percent_one_decimal(mean_of(values)))
        more = {
            f"found_{name}": str(cell["is_found"]) for name, cell in zip(names, cells, strict=True)
        }
        items = [cell["items"] for cell in cells]
        label = shortcut.replace("_", " ")
        rows.append(Row([label, "as they are"], values, items, texts=texts, more=more))
    title = f"One property alone, against {against.replace('_', '-')} videos, accuracy (%)"
    return Section([title, "Videos"], rows, ("shortcut", against))


if __name__ == "__main__":
    run_job(build_bias_ledger, snakemake)
