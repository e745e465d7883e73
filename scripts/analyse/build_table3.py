"""Table 3: how existing detectors of generated images do on videos generated from images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.detection_table import detection_table
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import IMAGE_GENERATED, REAL

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
    return detection_table(
        metrics,
        faces,
        number="3",
        key="detector",
        caption="How well existing detectors of generated images identify videos generated from "
        "images, by the middle frame of each video.",
        classes=len(TOLD_APART),
        rows=[{"setting": detector["entry"], **detector} for detector in detectors],
        generators=generators,
        notes=["Items: test videos per generator, half of them real."],
        banner=banner,
    )


if __name__ == "__main__":
    run_job(build_table3, snakemake)
