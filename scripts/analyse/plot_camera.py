"""TIP-Camera as a figure: what videos do when a move is asked for, and motion by the number typed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from scripts.analyse.figure_style import Drawn, drawn, panels
from scripts.analyse.matrices import LEAST, draw_shares
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.evaluate import CAMERA, MOTION_STRENGTH
from scripts.common.tables import read_frame
from scripts.evaluate.camera_requests import ASKED, OTHER

PANEL_IN = 2.6
DEFAULT = 1
"""Pika's -motion where none is typed."""


@drawn
def plot_camera(
    camera: Path,
    strength: Path,
    *,
    generators: Sequence[Mapping[str, Any]],
    style: Mapping[str, Any],
) -> Drawn:
    """Draw a confusion matrix for each generator, and below it its motion by the number typed.

    Both ways of asking are taken together: rows are what was asked for, columns what was measured.

    Args:
        camera: table of ``CAMERA``.
        strength: table of ``MOTION_STRENGTH``.
        generators: panels, in order: ``entry``, ``label``.
        style: ``colour_map`` and ``width_in``.

    Returns:
        The figure, and counts of moves that were asked for.
    """
    asked, typed = read_frame(camera, CAMERA), read_frame(strength, MOTION_STRENGTH)
    moves = [move for move in ASKED if move in set(asked["asked"])]
    sides = {"sharey": "row", "height_ratios": (3, 2)}
    figure, axes = panels(2, len(generators), style, 2 * PANEL_IN, **sides)
    for (matrix, curve), generator in zip(axes.T, generators, strict=True):
        matrix.set_title(generator["label"])
        own = asked[asked["generator"] == generator["entry"]]
        draw_shares(matrix, confusion_of(own).reindex(moves), style["colour_map"], LEAST)
        matrix.set_xlabel("measured")
        draw_strength(curve, typed[typed["generator"] == generator["entry"]])
    axes[1, 0].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("asked for")
    axes[1, 0].set_ylabel("motion, % of the short side")
    colours = plt.cm.ScalarMappable(Normalize(0, 1), style["colour_map"])
    figure.colorbar(colours, ax=axes[0], shrink=0.8, label="share of the videos")
    return figure, Counts(kept=len(asked))


def confusion_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the share of each measured move (columns) of each that was asked for (rows).

    Args:
        rows: of ``CAMERA``, of one generator.
    """
    videos = pd.DataFrame(0.0, index=ASKED, columns=(*ASKED, OTHER))
    for _, row in rows.iterrows():
        videos.loc[row["asked"]] += pd.Series(dict(row["measured"]))
    shares = videos.div(videos.sum(axis=1).replace(0, np.nan), axis=0)
    return shares.dropna()


def draw_strength(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw mean motion over the number typed, with standard errors; what was typed by none apart."""
    known = rows.dropna(subset=["motion"]).sort_values("motion")
    axis.errorbar(
        known["motion"], 100 * known["strength"], 100 * known["error"].fillna(0), marker="o",
        color="#0072B2", capsize=2, label="typed",
    )  # fmt: skip
    default = rows[rows["motion"].isna()]
    axis.errorbar(
        [DEFAULT] * len(default), 100 * default["strength"], 100 * default["error"].fillna(0),
        marker="D", color="#D55E00", linestyle="none", capsize=2, label="nothing typed",
    )  # fmt: skip
    axis.set_xticks(sorted({*range(5), *known["motion"].astype(int)}))
    axis.set_xlabel("-motion")
    axis.grid(True)
    axis.legend(fontsize=6)


if __name__ == "__main__":
    run_job(plot_camera, snakemake)
