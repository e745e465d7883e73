"""Table 4: how well the trained VideoMAE tells real, text- and image-generated videos apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.detection_table import detection_table
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import CLASSES, CROSS_DOMAIN, SAME_DOMAIN

SETTINGS = {SAME_DOMAIN: "Same Domain", CROSS_DOMAIN: "Cross Domain"}


def build_table4(
    metrics: Path,
    faces: Sequence[Path],
    *,
    generators: Sequence[Mapping[str, Any]],
    videomae: Mapping[str, Any],
    banner: str,
) -> Counts:
    """Lay out Table 4 (Section 5.3): accuracy and mAP of the trained detector in two settings.

    Args:
        metrics: table of detection ``METRICS``.
        faces: the files to write (.csv, .md, .tex, .html).
        generators: columns, in order: ``entry``, ``label``, ``embedded``.
        videomae: the trained detector: ``entry``, ``label``, ``embedded``.
        banner: a line put on every face.

    Returns:
        Counts of numbers.

    Raises:
        UserError: a number was never measured.
    """
    alone = len(generators) == 1  # then there are no others to learn from
    lonely = ["There is no row Cross Domain: the configuration names one generator."]
    return detection_table(
        metrics,
        faces,
        number="4",
        key="setting",
        caption=f"How well the trained detector ({videomae['label']}) classifies videos as real, "
        "generated from a text, or generated from an image; trained and tested on the same "
        "generator (Same Domain), or trained on the others (Cross Domain).",
        classes=len(CLASSES),
        rows=[
            {**videomae, "setting": setting, "label": label}
            for setting, label in SETTINGS.items()
            if setting == SAME_DOMAIN or not alone
        ],
        generators=generators,
        notes=["Items: test videos per generator, a third of each class.", *(lonely * alone)],
        banner=banner,
    )


if __name__ == "__main__":
    run_job(build_table4, snakemake)
