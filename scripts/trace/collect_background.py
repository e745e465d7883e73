"""Collect the pictures by which scores are normalised: source images that no query has."""

from pathlib import Path

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import TRACE_IMAGES
from scripts.common.schemas.trace import BACKGROUND
from scripts.common.tables import read_frame, write_table
from scripts.split.ranks import first_ranked


def collect_background(
    training_images: Path, background: Path, *, max_images: int, seed: int
) -> Counts:
    """Choose source images of TIP-Trace's training prompts, by seeded rank.

    The challenge takes its training set as well: pictures that are neither references nor theirs.

    Args:
        training_images: source images of the training prompts (``TRACE_IMAGES``).
        background: output (``TRACE_IMAGES``), role background.
        max_images: pictures at most.
        seed: of the run.

    Returns:
        Counts of pictures.
    """
    images = read_frame(training_images, TRACE_IMAGES)
    chosen = first_ranked(images["uuid"], max_images, seed, "tip_trace", BACKGROUND)
    rows = images[images["uuid"].isin(chosen)].assign(role=BACKGROUND)
    write_table(rows, background, TRACE_IMAGES)
    counts = Counts(kept=len(rows), declared=len(images))
    counts.reject("not_drawn", len(images) - len(rows))
    return counts


if __name__ == "__main__":
    run_job(collect_background, snakemake)
