"""Collect TIP-Trace's pictures: references with source images, distractors, training images."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import (
    DISTRACTOR,
    QUERY,
    REFERENCE,
    SOURCE_IMAGE,
    TRACE_IMAGES,
    TRACE_PROMPTS,
    TRAIN,
    TRAINING_IMAGE,
)
from scripts.common.tables import read_frame, write_table
from scripts.split.indexes import items_there, read_items
from scripts.split.ranks import first_ranked


def collect_trace_images(
    prompts: Path,
    image_indexes: Sequence[Path],
    reference_indexes: Sequence[Path],
    distractor_indexes: Sequence[Path],
    references: Path,
    distractors: Path,
    training_images: Path,
    *,
    image_tars: Sequence[str],
    reference_tars: Sequence[str],
    distractor_tars: Sequence[str],
    max_references: int,
    max_distractors: int,
    seed: int,
) -> Counts:
    """Collect the pictures that are searched, that are searched for in vain, and that train.

    References are the source images of the query prompts, not of the training ones, among
    pictures from elsewhere: a needle in a haystack. Distractors are queries without a match, so a
    file that is a prompt's image or a reference cannot be one.

    Args:
        prompts: TIP-Trace's prompts (``TRACE_PROMPTS``).
        image_indexes: indexes of the image prompts (``ITEM_INDEX``).
        reference_indexes: indexes of the outside references.
        distractor_indexes: indexes of the outside distractors.
        references: output (``TRACE_IMAGES``), roles source_image and reference.
        distractors: output (``TRACE_IMAGES``), role distractor.
        training_images: output (``TRACE_IMAGES``), role training_image: the source images of the
            training prompts, which train beside their frames.
        image_tars: the tar beside each of ``image_indexes``.
        reference_tars: the tar beside each of ``reference_indexes``.
        distractor_tars: the tar beside each of ``distractor_indexes``.
        max_references: outside references at most; the paper's are 1,000,000.
        max_distractors: distractors at most; the paper's are 40,000.
        seed: of the run.
    """
    parts = read_frame(prompts, TRACE_PROMPTS).set_index("uuid")["part"]
    images = read_items(image_indexes, image_tars, set(parts.index))
    images["reason"] = images["reason"].replace("no_video", "no_image")
    of_queries = images[images["uuid"].map(parts) == QUERY]
    needles, counts = items_there(of_queries)
    of_training, kept = items_there(images[images["uuid"].map(parts) == TRAIN])
    counts += kept
    known = set(images["sha256"].dropna())
    outside = read_items(reference_indexes, reference_tars)
    haystack, drawn = _draw(outside, max_references, known, seed, REFERENCE)
    counts += drawn
    known |= set(haystack["sha256"])
    outside = read_items(distractor_indexes, distractor_tars)
    others, drawn = _draw(outside, max_distractors, known, seed, DISTRACTOR)
    counts += drawn
    searched = pd.concat([_rows(needles, SOURCE_IMAGE), _rows(haystack, REFERENCE)])
    write_table(searched, references, TRACE_IMAGES)
    write_table(_rows(others, DISTRACTOR), distractors, TRACE_IMAGES)
    write_table(_rows(of_training, TRAINING_IMAGE), training_images, TRACE_IMAGES)
    return counts


def _draw(
    items: pd.DataFrame, number: int, known: set[str], seed: int, role: str
) -> tuple[pd.DataFrame, Counts]:
    """Return at most ``number`` pictures, none of which is one of the ``known`` files."""
    pictures, counts = items_there(items)
    new = ~pictures["sha256"].isin(known)
    drawn = first_ranked(pictures.loc[new, "uuid"], number, seed, "tip_trace", role)
    counts.kept = len(drawn)
    counts.reject("same_bytes", int((~new).sum()))
    counts.reject("not_drawn", int(new.sum()) - len(drawn))
    return pictures[pictures["uuid"].isin(drawn)], counts


def _rows(items: pd.DataFrame, role: str) -> pd.DataFrame:
    return items[["uuid", "tar", "offset", "size_bytes", "sha256"]].assign(role=role)


if __name__ == "__main__":
    run_job(collect_trace_images, snakemake)
