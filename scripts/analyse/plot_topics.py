"""The subjects and directions that generators do best and worst, as a heat map."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scripts.analyse.figure_style import figure_style, save_figure, shorten
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import DIRECTION, SUBJECT
from scripts.common.schemas.evaluate import TOPICS
from scripts.common.tables import read_frame
from scripts.evaluate.score_topics import spread_of

ROW_IN = 0.24
LETTERS = 24


def plot_topics(
    topics: Path,
    faces: Sequence[Path],
    *,
    generators: Sequence[Mapping[str, Any]],
    style: Mapping[str, Any],
    banner: str,
) -> Counts:
    """Draw the best and the worst names, by the mean of all generators, and each one's score.

    Args:
        topics: table of ``TOPICS``.
        faces: files to write (.pdf, .png).
        generators: columns, in order: ``entry``, ``label``.
        style: ``names`` (so many best and so many worst), ``least`` (videos that every generator
            must have of a name), ``colour_map`` and ``width_in``.
        banner: a line for the foot.

    Returns:
        Counts of names; those of too few videos are left out.
    """
    rows = read_frame(topics, TOPICS)
    labels = {each["entry"]: each["label"] for each in generators}
    shown, counts = {}, Counts()
    for kind in (SUBJECT, DIRECTION):
        own = rows[rows["kind"] == kind]
        table = spread_of(own, style["least"]).reindex(columns=list(labels))
        counts.keep(len(table))
        counts.reject("too_few_videos", own["name"].nunique() - len(table))
        ends = [*range(style["names"]), *range(len(table) - style["names"], len(table))]
        shown[kind] = table.iloc[sorted({end for end in ends if 0 <= end < len(table)})]
    height = 1.6 + ROW_IN * max(map(len, shown.values()))
    limit = max((np.nanmax(np.abs(each), initial=0.1) for each in shown.values()), default=1)
    with figure_style():
        figure, axes = plt.subplots(1, 2, figsize=(style["width_in"], height), layout="constrained")
        for axis, (kind, table) in zip(axes, shown.items(), strict=True):
            image = draw_heat(axis, table.rename(columns=labels), limit, style["colour_map"])
            axis.set_title(f"{kind.capitalize()}s, best first")
        figure.colorbar(image, ax=axes, shrink=0.6, label="deviations above the mean")
        save_figure(figure, faces, banner)
    return counts


def draw_heat(axis: Axes, table: pd.DataFrame, limit: float, colour_map: str) -> Any:
    """Draw scores as colours with numbers; return what a colour bar belongs to."""
    values = table.to_numpy(dtype=float)
    shown = values if len(values) else np.full((1, len(table.columns)), np.nan)
    image = axis.imshow(shown, cmap=colour_map, vmin=-limit, vmax=limit, aspect="auto")
    axis.set_xticks(range(len(table.columns)), table.columns, rotation=35, ha="right", fontsize=7)
    names = [shorten(name, LETTERS) for name in table.index]
    axis.set_yticks(range(len(names)), names, fontsize=7)
    for (row, column), score in np.ndenumerate(values):
        dark = abs(score) > 0.6 * limit
        axis.text(column, row, f"{score:+.1f}", ha="center", va="center", fontsize=6,
                  color="white" if dark else "black")  # fmt: skip
    return image


if __name__ == "__main__":
    run_job(plot_topics, snakemake)
