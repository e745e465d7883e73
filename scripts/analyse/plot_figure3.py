"""Figures 3 and 8: prompts of several data sets, and where on a map each has them (Section 4)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch

from scripts.analyse.figure_style import Drawn, bare_axes, drawn, need_colours, shorten
from scripts.analyse.shown_prompts import UNSAFE_TEXT
from scripts.common.identity import seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts

_SHARES = (0.05, 0.2, 0.4, 0.6, 0.8)
"""Of the largest density, at which contours are drawn."""
_LETTERS = 110


@drawn
def plot_figure3(
    points: Sequence[Path],
    grids: Sequence[Path],
    *,
    labels: Sequence[str],
    style: Mapping[str, Any],
    seed: int,
) -> Drawn:
    """Draw prompts of each data set, and below them a map of ours with each of the others.

    Args:
        points: tables of ``POINTS``, one for each map.
        grids: what WizMap's viewer reads beside them: the density of each data set.
        labels: the data sets, ours first; a map has ours and the next of the others.
        style: ``colours``, one for each data set; ``prompts``, how many are shown of each;
            ``width_in``.
        seed: chooses the prompts; ours are of those whose text is safe.

    Returns:
        The figure, and counts of points.
    """
    need_colours(style, "figure3", len(labels), "data sets")
    tables = [
        pl.read_parquet(path, columns=["UUID", "text", "group", "text_nsfw"]) for path in points
    ]
    texts = {label: _chosen(tables, label, style["prompts"], seed) for label in labels}
    colours = dict(zip(labels, style["colours"], strict=False))
    lines = max(len(chosen) for chosen in texts.values())
    width = style["width_in"]
    sides = {"height_ratios": [0.5 * lines, 0.7 * width / len(grids)]}
    size = (width, 0.5 * lines + 0.7 * width / len(grids))
    figure = plt.figure(figsize=size, layout="constrained")
    above, below = figure.subfigures(2, 1, **sides)
    for axis, (label, chosen) in zip(
        np.atleast_1d(above.subplots(1, len(labels))), texts.items(), strict=True
    ):
        axis.set_title(label, color=colours[label])
        bare_axes(axis)
        for number, text in enumerate(chosen):
            place = 1 - (number + 0.5) / lines
            words = fill(f"“{shorten(text, _LETTERS)}”", int(17 * width / len(labels)))
            axis.text(0, place, words, fontsize=7.5, va="center")
    for axis, grid in zip(np.atleast_1d(below.subplots(1, len(grids))), grids, strict=True):
        _draw_map(axis, json.loads(grid.read_text(encoding="utf-8")), labels[0], colours)
    return figure, Counts(kept=sum(table.height for table in tables))


def _chosen(tables: Sequence[pl.DataFrame], label: str, number: int, seed: int) -> list[str]:
    """Return texts of a data set; what is known to be unsafe is not shown."""
    of_label = pl.concat([table.filter(pl.col("group") == label) for table in tables])
    is_safe = pl.col("text_nsfw").is_null() | (pl.col("text_nsfw") < UNSAFE_TEXT)
    texts = dict(of_label.filter(is_safe).select("UUID", "text").iter_rows())
    return [texts[uuid] for uuid in seeded_order(texts, seed, "figure3")[:number]]


def _draw_map(axis: Any, grid: Mapping[str, Any], own: str, colours: Mapping[str, str]) -> None:
    """Draw contours of each data set's density."""
    across, up = (np.linspace(*grid[key], len(grid["grid"])) for key in ("xRange", "yRange"))
    groups = grid.get("groupGrids", {own: grid["grid"]})
    for name, density in groups.items():
        values = np.asarray(density)
        levels = [share * values.max() for share in (*_SHARES, 1.001)]
        shades = [to_rgba(colours[name], 0.15 + 0.6 * share) for share in _SHARES]
        axis.contourf(across, up, values, levels, colors=shades)
        axis.contour(across, up, values, levels[:1], colors=colours[name], linewidths=1.1)
    axis.set_aspect("equal")
    bare_axes(axis)
    handles = [Patch(color=colours[name], alpha=0.6, label=name) for name in groups]
    axis.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=8)


if __name__ == "__main__":
    run_job(plot_figure3, snakemake)
