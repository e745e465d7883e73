"""Figure 12: what TIP-Trace holds, with its counts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import polars as pl
from matplotlib.patches import ConnectionPatch, FancyBboxPatch

from scripts.analyse.figure_style import Drawn, bare_axes, drawn
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import QUERY, REFERENCE, SOURCE_IMAGE, TRAIN


@drawn
def plot_figure12(
    frames: Sequence[Path],
    training_images: Path,
    references: Path,
    distractors: Path,
    *,
    style: Mapping[str, Any],
) -> Drawn:
    """Draw the training, query and reference set as rows of boxes (Supplement 15).

    Args:
        frames: the frames of each generator's videos, in training (``train``) and as queries.
        training_images: the image prompts of the videos in training.
        references: source images of queries, and pictures of elsewhere.
        distractors: queries without a source image.
        style: ``subject_colour`` (what belongs to prompts), ``direction_colour`` (what does not),
            ``width_in``.

    Returns:
        The figure, and counts of pictures and frames.
    """
    parts = pl.scan_parquet(frames).select("part").collect()["part"]
    queries = int((parts == QUERY).sum())
    roles = pl.read_parquet(references, columns=["role"])["role"]
    sources, others = (int((roles == role).sum()) for role in (SOURCE_IMAGE, REFERENCE))
    alone = pl.scan_parquet(distractors).select(pl.len()).collect().item()
    images = pl.scan_parquet(training_images).select(pl.len()).collect().item()
    generators, trained = len(frames), int((parts == TRAIN).sum())
    ours, theirs = style["subject_colour"], style["direction_colour"]
    sets = {
        "Training set": [
            (f"{images:,} image prompts", ours),
            (f"{trained:,} frames\nof {generators} generators' videos", ours),
        ],
        "Query set": [
            (f"{queries:,} frames\nof {generators} generators' videos", ours),
            (f"{alone:,} distractors\nwithout a source image", theirs),
        ],
        "Reference set": [
            (f"{sources:,} source images\nof the queries", ours),
            (f"{others:,} other pictures", theirs),
        ],
    }
    figure, axes = plt.subplots(3, 1, figsize=(style["width_in"], 0.5 * style["width_in"]))
    for axis, (name, boxes) in zip(axes, sets.items(), strict=True):
        axis.set(xlim=(0, 1), ylim=(0, 1))
        axis.text(0, 0.5, name, va="center", fontsize=11, fontweight="bold")
        for place, (words, colour) in enumerate(boxes):
            left = 0.22 + 0.4 * place
            box = FancyBboxPatch(
                (left, 0.14), 0.36, 0.72, boxstyle="round,pad=0,rounding_size=0.03",
                facecolor=colour, alpha=0.16, edgecolor=colour, mutation_aspect=3,
            )  # fmt: skip
            axis.add_patch(box)
            axis.text(left + 0.18, 0.5, words, ha="center", va="center", fontsize=9.5)
    bare_axes(axes)
    arrow = {"arrowstyle": "->", "color": ours, "linewidth": 1.6}
    figure.add_artist(
        ConnectionPatch(
            (0.4, 0.14), (0.4, 0.86), "data", "data", axesA=axes[1], axesB=axes[2], **arrow
        )
    )
    axes[1].text(0.41, -0.12, "traced to", fontsize=8, color=ours, va="center")
    return figure, Counts(kept=len(parts) + images + len(roles) + alone)


if __name__ == "__main__":
    run_job(plot_figure12, snakemake)
