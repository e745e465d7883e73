"""The subjects and directions that generators do best and worst, as a heat map."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.analyse.figure_style import Drawn, drawn, panels, shorten
from scripts.analyse.matrices import draw_matrix
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import DIRECTION, SUBJECT
from scripts.common.schemas.evaluate import TOPICS
from scripts.common.tables import read_frame
from scripts.evaluate.score_topics import spread_of

ROW_IN = 0.24
LETTERS = 24


@drawn
def plot_topics(
    topics: Path, *, generators: Sequence[Mapping[str, Any]], style: Mapping[str, Any]
) -> Drawn:
    """Draw the best and the worst names, by the mean of all generators, and each one's score.

    Args:
        topics: table of ``TOPICS``.
        generators: columns, in order: ``entry``, ``label``.
        style: ``names`` (so many best and so many worst), ``least`` (videos that every generator
            must have of a name), ``colour_map`` and ``width_in``.

    Returns:
        The figure, and counts of names; those of too few videos are left out.
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
    figure, axes = panels(1, 2, style, height)
    for axis, (kind, table) in zip(axes[0], shown.items(), strict=True):
        image = draw_matrix(
            axis,
            table.rename(index=partial(shorten, letters=LETTERS), columns=labels),
            write="{:+.1f}".format,
            is_light=lambda score: not abs(score) > 0.6 * limit,
            names={"rotation": 35, "ha": "right"},
            cmap=style["colour_map"],
            vmin=-limit,
            vmax=limit,
        )
        axis.set_title(f"{kind.capitalize()}s, best first")
    figure.colorbar(image, ax=axes, shrink=0.6, label="deviations above the mean")
    return figure, counts


if __name__ == "__main__":
    run_job(plot_topics, snakemake)
