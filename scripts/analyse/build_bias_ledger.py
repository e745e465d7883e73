"""The bias ledger as a table: what Tables 3 and 4 come to where the format cannot tell classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import (
    NOTHING,
    PaperTable,
    Row,
    Section,
    mean_of,
    percent_one_decimal,
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
    TABLE_3,
    TABLE_4,
)
from scripts.common.tables import read_table
from scripts.detect.controls import AS_IS

Entry = Mapping[str, Any]
CONTAINER = "container"
HEADERS = {TABLE_3: "Table 3: real or generated", TABLE_4: "Table 4: three classes"}


@laid_out
def build_bias_ledger(
    bias: Path,
    shortcuts: Path,
    *,
    rows: Mapping[str, Sequence[Entry]],
    controls: Mapping[str, str],
    generators: Sequence[Entry],
) -> PaperTable:
    """Lay out accuracies under each control, the share that is lost, and single properties.

    Args:
        bias: table of ``BIAS``.
        shortcuts: table of ``SHORTCUT_TESTS``.
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
        header = HEADERS[table]
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
    return PaperTable(
        number="Bias ledger",
        caption="How well generated videos are identified where their format is changed, by the "
        "container alone, and by single properties of the format.",
        keys=["table", "metric", "model", "videos"],
        generators=generators,
        sections=sections,
        shown=percent_one_decimal,
        notes=[
            "In brackets: 95 % intervals. All rows of a model stand on the same videos, but for "
            "those that a procedure made of image prompts, of which the share that is not taken for "
            "generated is told.",
            "A dash: as they are, the videos are told apart no better than by a guess, so that there is "
            "nothing to lose.",
            "The container's baseline is a random forest on rate, size, length, bytes per second and "
            "encoder, asked of videos that it did not see.",
            "A star: so many right answers would come of guessing in less than one of a hundred "
            "tables of these properties.",
        ],
    )


class Ledger:
    """Tidy numbers of the ledger as rows of a table."""

    def __init__(self, bias: Path, names: Sequence[str]):
        """Index the numbers by what tells them apart."""
        self._names = names
        keys = ("table", "setting", "control", "generator", "metric")
        self._found = {
            tuple(row[key] for key in keys): row for row in read_table(bias, BIAS).to_pylist()
        }

    def cells(self, table: str, setting: str, control: str, metric: str) -> list[dict | None]:
        """Return the numbers of all generators, None for one that there is not."""
        return [self._found.get((table, setting, control, name, metric)) for name in self._names]

    def row(self, table: str, model: Entry, control: str, label: str, metric: str) -> list[Row]:
        """Return a row of a model under a control, or none if there is no such number."""
        setting = model.get("key", model["entry"])
        cells = self.cells(table, setting, control, metric)
        if not any(cells):
            return []
        values = [cell and cell["value"] for cell in cells]
        texts, more = [], {}
        if metric == ACCURACY:
            bounds = [
                [cell and cell["value"] for cell in self.cells(table, setting, control, bound)]
                for bound in (ACCURACY_LOW, ACCURACY_HIGH)
            ]
            for value, low, high in zip(values, *bounds, strict=True):
                known = None not in (value, low, high)
                texts.append(
                    f"{100 * value:.1f} [{100 * low:.0f}, {100 * high:.0f}]" if known else NOTHING
                )
            mean = mean_of(values)
            texts.append(NOTHING if mean is None else percent_one_decimal(mean))
            for name, cell in zip(("low", "high"), bounds, strict=True):
                more |= {
                    f"{name}_{generator}": "" if value is None else percent_one_decimal(value)
                    for generator, value in zip(self._names, cell, strict=True)
                }
        items = [cell["items"] if cell and metric == ACCURACY else None for cell in cells]
        cells_shown = [model["label"], label]
        return [
            Row(
                cells_shown,
                values,
                items,
                model["entry"],
                model["embedded"],
                texts=texts,
                more=more,
            )
        ]


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
