"""Table 3: how existing detectors of generated images do on videos generated from images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.detection_table import detection_sections
from scripts.analyse.paper_table import (
    PaperTable,
    column_labels,
    percent_one_decimal,
    stand_in_notes,
)
from scripts.analyse.table_faces import write_paper_table
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.detect import IMAGE_GENERATED, REAL, TABLE_3

TOLD_APART = (REAL, IMAGE_GENERATED)
"""'We exclude the class of text-generated videos' (Supplement 13)."""


def build_table3(
    metrics: Path,
    faces: Sequence[Path],
    *,
    generators: Sequence[Mapping[str, Any]],
    detectors: Sequence[Mapping[str, Any]],
    banner: str,
) -> Counts:
    """Lay out Table 3 (Section 5.3): accuracy and mAP of each detector for each generator.

    Args:
        metrics: table of detection ``METRICS``.
        faces: the files to write (.csv, .md, .tex, .html).
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
        detectors: rows, in order: ``entry``, ``label``, ``embedded``.
        banner: a line put on every face.

    Returns:
        Counts of numbers.

    Raises:
        UserError: a number was never measured.
    """
    sections = detection_sections(
        metrics,
        table=TABLE_3,
        classes=len(TOLD_APART),
        rows=[{"setting": detector["entry"], **detector} for detector in detectors],
        generators=[generator["entry"] for generator in generators],
    )
    table = PaperTable(
        number="3",
        caption="How well existing detectors of generated images identify videos generated from "
        "images, by the middle frame of each video.",
        keys=("metric", "detector"),
        columns=column_labels(generators),
        sections=sections,
        shown=percent_one_decimal,
        notes=(
            "Items: test videos per generator, half of them real.",
            *stand_in_notes(generators),
        ),
    )
    write_paper_table(table, faces, banner)
    return table.counts()


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = build_table3(
            metrics=Path(snakemake.input.metrics),
            faces=[Path(path) for path in snakemake.output[:4]],
            generators=snakemake.params.generators,
            detectors=snakemake.params.detectors,
            banner=snakemake.params.banner,
        )
        log.finish(counts)
