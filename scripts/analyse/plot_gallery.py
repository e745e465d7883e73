"""The gallery: what each generator makes of the same prompts (compare the paper's Figure 1)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from scripts.analyse.figure_style import figure_style, save_figure, shorten
from scripts.common.identity import seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.shards import Shards
from scripts.common.tables import read_table
from scripts.common.video import read_frames

MOMENTS = (0.0, 0.5, 1.0)
"""Which frames are shown, as shares of the way from the first to the last."""

SIDE = 144
GAP = 3


def plot_gallery(
    prompts: Path,
    videos: Mapping[str, Shards],
    faces: Sequence[Path],
    *,
    labels: Sequence[str],
    style: Mapping[str, Any],
    banner: str,
    seed: int,
) -> Counts:
    """Draw the first, middle and last frame of each generator's video of some prompts.

    Args:
        prompts: table of ``TIP_EVAL``; shown are prompts of which every generator has a video, of
            different subjects, drawn with the seed.
        videos: generator -> its videos, in the order of the rows.
        faces: files to write (.pdf, .png).
        labels: how each generator is called, in the same order.
        style: ``prompts`` (how many), ``width_in``.
        banner: a line for the foot.
        seed: the run's.

    Returns:
        Counts of TIP-Eval's prompts.
    """
    chosen = choose_prompts(prompts, videos, number=style["prompts"], seed=seed)
    rows, columns = len(videos), max(1, len(chosen))
    cell = (len(MOMENTS) * SIDE + GAP * (len(MOMENTS) - 1), SIDE)
    height = style["width_in"] / columns * cell[1] / cell[0] * rows + 0.6
    with figure_style():
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(style["width_in"], height),
            squeeze=False,
            gridspec_kw={"wspace": 0.04, "hspace": 0.04},
        )
        for column, row in enumerate(chosen):
            axes[0][column].set_title(shorten(row["prompt"], 44), fontsize=8, fontweight="normal")
            for axis, shards in zip(axes[:, column], videos.values(), strict=True):
                axis.imshow(strip(shards.read(row["uuid"])))
        for axis in axes.flat:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for axis, label in zip(axes[:, 0], labels, strict=True):
            axis.set_ylabel(label, fontsize=9)
        figure.subplots_adjust(left=0.04, right=0.99, top=0.94, bottom=0.02)
        save_figure(figure, faces, banner)
    counts = Counts(kept=len(chosen))
    counts.reject("not_shown", read_table(prompts, TIP_EVAL).num_rows - len(chosen))
    return counts


def choose_prompts(
    prompts: Path, videos: Mapping[str, Shards], *, number: int, seed: int
) -> list[dict]:
    """Return rows of ``TIP_EVAL``, each of another subject, that every generator has a video of."""
    rows = {row["uuid"]: row for row in read_table(prompts, TIP_EVAL).to_pylist()}
    chosen: dict[str, dict] = {}
    for uuid in seeded_order(rows, seed, "gallery"):
        if len(chosen) < number and all(uuid in shards for shards in videos.values()):
            chosen.setdefault(rows[uuid]["subject"], rows[uuid])
    return list(chosen.values())


def strip(video: bytes) -> np.ndarray:
    """Return some frames of a video side by side, each cut to its middle square.

    Returns:
        uint8 RGB of shape (144, frames * 144 + gaps, 3).
    """
    frames = read_frames(video)
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    pieces = []
    for moment in MOMENTS:
        pieces += [middle_square(frames[round(moment * (len(frames) - 1))]), gap]
    return np.concatenate(pieces[:-1], axis=1)


def middle_square(frame: np.ndarray) -> np.ndarray:
    """Return the middle square of a frame, 144 pixels wide."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(frame[top : top + side, left : left + side])
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    found = snakemake.params.videos
    videos = {name: Shards(files["tars"], files["indexes"]) for name, files in found.items()}
    labels = [entry["label"] for entry in snakemake.params.generators]
    run_job(plot_gallery, snakemake, videos=videos, labels=labels)
