"""Figure 2: a data point with all its fields."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from scripts.analyse.figure_style import Drawn, bare_axes, drawn, shorten
from scripts.analyse.shown_prompts import ShownPrompts, open_shards
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.shards import Shards
from scripts.common.tables import read_frame

FIELDS = ("UUID", "Timestamp", "Text_Prompt", "Subject", "Direction", "Text_NSFW", "Image_NSFW")
FRAMES = 4
LETTERS = 44


@drawn
def plot_figure2(
    dataset: Path,
    prompts: Path,
    texts: Sequence[Path],
    pictures: Sequence[Path],
    images: Shards,
    videos: Mapping[str, Shards],
    *,
    generators: Sequence[Mapping[str, Any]],
    style: Mapping[str, Any],
    blurred: bool,
    seed: int,
) -> Drawn:
    """Draw one prompt: its fields, its image, its embeddings as bars of colours, its videos.

    Args:
        dataset: table of ``DATASET``.
        prompts: table of ``TIP_EVAL``, of which the seed chooses one.
        texts: tables of the embeddings of text prompts...
        pictures: ... and of image prompts.
        images: image prompts.
        videos: generator -> its videos, in the order of the rows.
        generators: in the same order: ``label``.
        style: ``uuids`` (the prompt; none lets the seed choose), ``width_in``.
        blurred: whether what is not safe is blurred.
        seed: the run's.

    Returns:
        The figure, and counts of prompts shown.
    """
    shown = ShownPrompts(dataset, blurred=blurred)
    there = [images, *videos.values()]
    among = read_frame(prompts, TIP_EVAL)
    chosen = shown.choose(style["uuids"][:1], among, there, number=1, seed=seed)
    figure = plt.figure(figsize=(style["width_in"], 0.62 * style["width_in"]))
    for uuid in chosen:
        left, right = figure.add_gridspec(1, 2, width_ratios=(1, 1.05), wspace=0.12)
        above, words, below = left.subgridspec(3, 1, height_ratios=(3, 3, 1.2), hspace=0.1)
        axis = figure.add_subplot(above)
        axis.imshow(shown.picture(uuid, images))
        axis.set_title("Image prompt", loc="center")
        bare_axes(axis)
        axis = figure.add_subplot(words)
        axis.text(0, 1, in_words(shown.rows.loc[uuid]), va="top", fontsize=8, linespacing=1.4)
        axis.set_axis_off()
        panels = below.subgridspec(2, 1, hspace=2.2).subplots()
        for panel, files, kind in zip(panels, (texts, pictures), ("Text", "Image"), strict=True):
            draw_embedding(panel, files, uuid, kind)
        axes = right.subgridspec(len(videos), 1, hspace=0.25).subplots(squeeze=False)[:, 0]
        for panel, generator, shards in zip(axes, generators, videos.values(), strict=True):
            panel.imshow(shown.strip(uuid, shards, FRAMES))
            panel.set_title(generator["label"], fontsize=8, pad=2)
        bare_axes(axes)
    return figure, Counts(kept=len(chosen))


def in_words(row: Mapping[str, Any]) -> str:
    """Return the fields of a row of ``DATASET``, one below the other, long ones folded."""
    lines = []
    for field in FIELDS:
        value = row[field]
        text = "none" if value is None else f"{value:.4f}" if field == "Text_NSFW" else str(value)
        lines += textwrap.wrap(f"{field}: {shorten(text, 3 * LETTERS)}", LETTERS + 8)
    return "\n".join(lines)


def draw_embedding(axis: Any, files: Sequence[Path], uuid: str, kind: str) -> None:
    """Draw the numbers of an embedding side by side, from blue (negative) to red."""
    rows = read_frame(files, columns=["uuid", "embedding"])
    vector = np.array(rows.loc[rows["uuid"] == uuid, "embedding"].iloc[0], dtype=float)
    bound = np.abs(vector).max() or 1
    axis.imshow(vector[None], aspect="auto", cmap="RdBu_r", vmin=-bound, vmax=bound)
    axis.set_title(f"{kind} embedding: {len(vector):,} numbers", fontsize=8, pad=2)
    bare_axes(axis)


if __name__ == "__main__":
    images = Shards(snakemake.input.images, snakemake.input.image_indexes)
    videos = open_shards(snakemake.params.videos)
    run_job(plot_figure2, snakemake, images=images, videos=videos)
