"""Table 5: how well models trace a generated frame to its source image."""

from collections.abc import Iterable, Mapping, Sequence
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
    percent,
    stand_in_notes,
)
from scripts.analyse.table_faces import NOTHING, read_csv, write_paper_table
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.trace import (
    CROSS_DOMAIN,
    METRICS,
    MUAP,
    MUAP_HIGH,
    MUAP_LOW,
    RECALL_AT_1,
    RECALL_AT_P90,
    SAME_DOMAIN,
)
from scripts.common.tables import read_table

TRAINED_GROUP = "Ours"
TRAINED = {SAME_DOMAIN: "Same Domain", CROSS_DOMAIN: "Cross Domain"}
UNGROUPED = "Other Models"
KEYS = ("group", "method")
SUPPLEMENTS = {
    RECALL_AT_1: "Recall at 1 (%)",
    RECALL_AT_P90: "Recall at 90 % precision (%)",
}
STANDS_ON = ("references", "positives", "rejected")


def build_table5(
    metrics: Path,
    faces: Sequence[Path],
    *,
    generators: Sequence[Mapping[str, Any]],
    tracers: Sequence[Mapping[str, Any]],
    cosface: Mapping[str, Any],
    banner: str,
    paper: Path | None = None,
) -> Counts:
    """Lay out Table 5 (Section 5.4): micro average precision by group of models.

    Below it stand its 95 % intervals and two recalls. Where the data is the paper's, its number
    and the difference stand beside each of ours that no stand-in made.

    Args:
        metrics: table of tracing ``METRICS``, values in [0, 1].
        faces: the files to write (.csv, .md, .tex, .html).
        generators: columns, in order: ``entry``, ``label``, ``embedded``, and perhaps ``paper``,
            the paper's column.
        tracers: rows, in order: ``entry``, ``label``, ``embedded`` and perhaps ``group``,
            ``paper`` (the paper's row) and ``unavailable`` (why there is no number); groups stand
            in the order of their first tracer.
        cosface: the trained tracer of the last group: ``entry``, ``embedded``.
        banner: a line put on every face.
        paper: the paper's numbers (config/paper/table5.csv), if the data is the paper's.

    Returns:
        Counts of numbers.

    Raises:
        UserError: a number was never measured.
    """
    measured = read_table(metrics, METRICS).to_pylist()
    cells = Cells.of(measured, metrics, key="tracer", items="queries")
    names = [generator["entry"] for generator in generators]
    theirs = PaperNumbers(read_csv(paper) if paper else [], generators, KEYS)
    # Across domains a model learns from the other generators; of one generator there is none.
    trained = {key: label for key, label in TRAINED.items() if key == SAME_DOMAIN or names[1:]}
    groups: dict[str, list[dict[str, Any]]] = {}
    for tracer in tracers:
        group = tracer.get("group") or UNGROUPED
        groups.setdefault(group, []).append({**tracer, "key": tracer["entry"]})
    groups[TRAINED_GROUP] = [
        {**cosface, "key": key, "label": label, "paper": label} for key, label in trained.items()
    ]
    methods = [(group, method) for group, rows in groups.items() for method in rows]
    stands_on = _stands_on(measured)
    rows = [
        Row(
            (group, method["label"]),
            (group, method["label"]),
            *cells.of_entry(method, MUAP, names),
            method["entry"],
            method["embedded"],
            paper=theirs.row(method),
            more=_more(cells, method, names, stands_on),
        )
        for group, method in methods
    ]
    supplements = [_intervals(cells, methods, names)]
    for metric, title in SUPPLEMENTS.items():
        shown = (
            _plain_row(group, method, *cells.of_entry(method, metric, names))
            for group, method in methods
            if not method.get("unavailable")
        )
        supplements.append(Section((title, "Method"), tuple(shown)))
    table = PaperTable(
        number="5",
        caption="How well publicly available models, and the trained ones, trace a generated "
        "frame to its source image: micro average precision (μAP).",
        keys=KEYS,
        columns=column_labels(generators),
        sections=(Section(("μAP (%)", "Method"), tuple(rows)),),
        shown=percent,
        notes=(*_notes(measured, tracers, trained, rows), *stand_in_notes(generators)),
        supplements=tuple(supplements),
    )
    write_paper_table(table, faces, banner)
    return table.counts()


def _stands_on(measured: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, int]]:
    return {(row["tracer"], row["generator"]): row for row in measured}


def _more(
    cells: Cells,
    method: Mapping[str, Any],
    names: Sequence[str],
    stands_on: Mapping[tuple[str, str], Mapping[str, int]],
) -> dict[str, str]:
    """Return the further cells of a row of the CSV."""
    more = {}
    for metric in (MUAP_LOW, MUAP_HIGH, *SUPPLEMENTS):
        values, _ = cells.of_entry(method, metric, names)
        for name, value in zip(names, values, strict=True):
            more[f"{metric}_{name}"] = "" if value is None else percent(value)
    for what in STANDS_ON:
        for name in names:
            shown = "" if method.get("unavailable") else str(stands_on[method["key"], name][what])
            more[f"{what}_{name}"] = shown
    return more


def _intervals(
    cells: Cells, methods: Iterable[tuple[str, Mapping[str, Any]]], names: Sequence[str]
) -> Section:
    rows = []
    for group, method in methods:
        if method.get("unavailable"):
            continue
        lows, items = cells.row(method["key"], MUAP_LOW, names)
        highs, _ = cells.row(method["key"], MUAP_HIGH, names)
        texts = [
            NOTHING if low is None or high is None else f"{percent(low)}–{percent(high)}"
            for low, high in zip(lows, highs, strict=True)
        ]
        rows.append(_plain_row(group, method, lows, items, (*texts, NOTHING)))
    return Section(("95 % interval of μAP", "Method"), tuple(rows))


def _plain_row(
    group: str,
    method: Mapping[str, Any],
    values: tuple[float | None, ...],
    items: tuple[int | None, ...],
    texts: tuple[str, ...] = (),
) -> Row:
    keys = (group, method["label"])
    return Row(keys, keys, values, items, method["entry"], method["embedded"], texts=texts)


def _notes(
    measured: Sequence[Mapping[str, Any]],
    tracers: Iterable[Mapping[str, Any]],
    trained: Mapping[str, str],
    rows: Iterable[Row],
) -> list[str]:
    counts = {what: sorted({row[what] for row in measured}) for what in STANDS_ON}
    spans = {
        what: f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
        for what, found in counts.items()
    }
    notes = [
        "Items: queries per generator, distractors included, of which "
        f"{spans['positives']} have a source image, "
        f"each compared with {spans['references']} references.",
    ]
    if counts["rejected"][-1]:
        notes.append(
            "Pictures that could not be read or described, and queries without a source image: "
            f"{spans['rejected']} per number; the CSV has them one by one."
        )
    notes += comparison_notes(rows, tracers)
    if CROSS_DOMAIN not in trained:
        notes.append(
            "There is no row Cross Domain: it learns from the other generators, and the "
            "configuration names only one."
        )
    notes.append("Intervals: percentiles when the queries are drawn anew with replacement.")
    return notes


if __name__ == "__main__":
    run_job(build_table5, snakemake)
