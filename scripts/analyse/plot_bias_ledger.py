"""The bias ledger as a figure: accuracies under each control side by side, and what is lost."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scripts.analyse.figure_style import STYLE, Drawn, drawn, need_colours, panels
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import ACCURACY, BIAS, CLASSES, EXPLAINED, TABLE_3, TABLE_4
from scripts.common.tables import read_frame

ROW_IN = 0.42
CONTAINER = "container"
GUESS = {TABLE_3: 1 / 2, TABLE_4: 1 / len(CLASSES)}
TITLES = {TABLE_3: "Table 3", TABLE_4: "Table 4"}

EACH = {"alpha": 0.35, "linewidths": 0, "s": 14}


@drawn
def plot_bias_ledger(
    bias: Path,
    *,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    controls: Mapping[str, str],
    style: Mapping[str, Any],
) -> Drawn:
    """Draw the mean accuracy of each model under each control, and the share that each control takes.

    A faint mark is one generator, a full one the mean of all; a line is what a guess reaches. A model
    of which nothing could be lost says why.

    Args:
        bias: table of ``BIAS``.
        rows: table3 and table4 -> its models: ``entry``, ``label`` and perhaps ``key``.
        controls: key -> label, in order.
        style: ``colours``, one for each control, and ``width_in``.
    """
    need_colours(style, "bias_ledger", len(controls), "controls")
    table = read_frame(bias, BIAS)
    container = {"entry": CONTAINER, "label": "Container alone"}
    shown = {name: [container, *models] for name, models in rows.items()}
    heights = [len(models) for models in shown.values()]
    height = ROW_IN * sum(heights) * 1.6 + 1.6
    figure, axes = panels(len(shown), 2, style, height, height_ratios=heights, sharey="row")
    for (left, right), (name, models) in zip(axes, shown.items(), strict=True):
        of_it = table[table["table"] == name]
        draw(left, of_it[of_it["metric"] == ACCURACY], models, controls, style["colours"])
        draw(right, of_it[of_it["metric"] == EXPLAINED], models, controls, style["colours"])
        say_why_empty(right, of_it[of_it["metric"] == EXPLAINED], models)
        left.axvline(GUESS[name], color="#666666", linewidth=0.8, linestyle=":", label="a guess")
        left.set_title(f"{TITLES[name]}: accuracy")
        right.set_title("Lost of what is above a guess")
        left.set_yticks(range(len(models)), [model["label"] for model in models])
        left.set_ylim(len(models) - 0.5, -0.5)
        for axis, row in product((left, right), range(1, len(models))):
            axis.axhline(row - 0.5, color=STYLE["grid.color"], linewidth=STYLE["grid.linewidth"])
    axes[0, 0].scatter([], [], color="#666666", **EACH, label="each generator, faint")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure, Counts(kept=len(table))


def draw(
    axis: Axes,
    numbers: pd.DataFrame,
    models: Sequence[Mapping[str, Any]],
    controls: Mapping[str, str],
    colours: Sequence[str],
) -> None:
    """Draw shares of models (rows) under controls (colours), of each generator and their mean."""
    offsets = np.linspace(-0.32, 0.32, len(controls))
    for offset, (control, label), colour in zip(offsets, controls.items(), colours, strict=False):
        places, means = [], []
        for row, model in enumerate(models):
            own = numbers["setting"] == model.get("key", model["entry"])
            values = numbers[own & (numbers["control"] == control)]["value"].dropna()
            if len(values):
                axis.scatter(values, [row + offset] * len(values), color=colour, **EACH)
                places.append(row + offset)
                means.append(values.mean())
        axis.scatter(means, places, color=colour, marker="D", s=26, label=label, zorder=3)
    axis.xaxis.set_major_formatter("{x:.0%}")
    axis.set_xlim(-0.03, 1.03)
    axis.grid(True, axis="x")


def say_why_empty(axis: Axes, lost: pd.DataFrame, models: Sequence[Mapping[str, Any]]) -> None:
    """Write in the rows (models) that have no share that is lost why they have none."""
    for row, model in enumerate(models):
        setting = model.get("key", model["entry"])
        if lost[lost["setting"] == setting]["value"].notna().any():
            continue
        why = "it sees nothing but the format" if setting == CONTAINER else "no better than a guess"
        axis.text(0.0, row, why, va="center", color="#666666", fontsize=8)


if __name__ == "__main__":
    run_job(plot_bias_ledger, snakemake)
