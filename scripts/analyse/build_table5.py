"""Table 5: how well models trace a generated frame to its source image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.paper_table import (
    Cells,
    PaperTable,
    Row,
    Section,
    column_labels,
    percent,
    stand_in_notes,
)
from scripts.analyse.table_faces import write_paper_table
from scripts.common.provenance import record_job
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.trace import CROSS_DOMAIN, METRICS, MUAP, SAME_DOMAIN
from scripts.common.tables import read_table

TRAINED_GROUP = "Ours"
TRAINED = {SAME_DOMAIN: "Same Domain", CROSS_DOMAIN: "Cross Domain"}
UNGROUPED = "Other Models"


def build_table5(
    metrics: Path,
    faces: Sequence[Path],
    *,
    generators: Sequence[Mapping[str, Any]],
    tracers: Sequence[Mapping[str, Any]],
    cosface: Mapping[str, Any],
    banner: str,
) -> Counts:
    """Lay out Table 5 (Section 5.4): micro average precision by group of models.

    Args:
        metrics: table of tracing ``METRICS``, values in [0, 1].
        faces: the files to write (.csv, .md, .tex, .html).
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
        tracers: rows, in order: ``entry``, ``label``, ``embedded`` and perhaps ``group``; groups
            stand in the order of their first tracer.
        cosface: the trained tracer of the last group: ``entry``, ``embedded``.
        banner: a line put on every face.

    Returns:
        Counts of numbers.

    Raises:
        UserError: a number was never measured.
    """
    measured = read_table(metrics, METRICS).to_pylist()
    cells = Cells.of(measured, metrics, key="tracer", items="queries")
    names = [generator["entry"] for generator in generators]
    groups: dict[str, list[Row]] = {}
    for tracer in tracers:
        group = tracer.get("group") or UNGROUPED
        groups.setdefault(group, []).append(
            Row(
                (group, tracer["label"]),
                (group, tracer["label"]),
                *cells.row(tracer["entry"], MUAP, names),
                tracer["entry"],
                tracer["embedded"],
            )
        )
    groups[TRAINED_GROUP] = [
        Row(
            (TRAINED_GROUP, label),
            (TRAINED_GROUP, label),
            *cells.row(name, MUAP, names),
            cosface["entry"],
            cosface["embedded"],
        )
        for name, label in TRAINED.items()
    ]
    references = max(row["references"] for row in measured)
    table = PaperTable(
        number="5",
        caption="How well publicly available models, and the trained ones, trace a generated "
        "frame to its source image: micro average precision (μAP).",
        keys=("group", "method"),
        columns=column_labels(generators),
        sections=(
            Section(("μAP (%)", "Method"), tuple(row for rows in groups.values() for row in rows)),
        ),
        shown=percent,
        notes=(
            "Items: queries per generator, distractors included, "
            f"each compared with {references:,} references.",
            *stand_in_notes(generators),
        ),
    )
    write_paper_table(table, faces, banner)
    return table.counts()


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = build_table5(
            metrics=Path(snakemake.input.metrics),
            faces=[Path(path) for path in snakemake.output[:4]],
            generators=snakemake.params.generators,
            tracers=snakemake.params.tracers,
            cosface=snakemake.params.cosface,
            banner=snakemake.params.banner,
        )
        record_job(snakemake)
        log.finish(counts)
