"""Figure 4: the subjects and directions that users ask for most."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from scripts.analyse.figure_style import Drawn, drawn, popularity_panels, shorten
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import POPULARITY
from scripts.common.tables import read_frame

PANEL_HEIGHT_IN = 2.7
CROWDED = 30
"""Names above which they are set steeper, so as not to run into each other."""


@drawn
def plot_figure4(popularity: Path, *, top: int, style: Mapping[str, Any]) -> Drawn:
    """Draw the most frequent subjects (above) and directions (below) as bars (Section 5.1).

    Args:
        popularity: table of ``POPULARITY``.
        top: how many of each are shown.
        style: ``subject_colour``, ``direction_colour``, ``width_in``.

    Returns:
        The figure, and counts of names: shown, or beyond the top.
    """
    rows = read_frame(popularity, POPULARITY)
    shown = rows[rows["rank"] <= top]
    figure, panels = popularity_panels(style, PANEL_HEIGHT_IN)
    for axis, kind, plural, colour in panels:
        total = (rows["kind"] == kind).sum()
        draw_bars(axis, shown[shown["kind"] == kind], colour, top)
        number = f"all {total}" if total <= top else f"the {top} most frequent of {total:,}"
        axis.set_title(f"{plural.capitalize()}: {number}")
    counts = Counts(kept=len(shown), declared=len(rows))
    counts.reject("beyond_the_top", len(rows) - len(shown))
    return figure, counts


def draw_bars(axis: Axes, names: pd.DataFrame, colour: str, places: int) -> None:
    """Draw one bar for each name, most frequent first.

    Args:
        axis: where.
        names: rows of ``POPULARITY``, in the order of their ranks.
        colour: of the bars.
        places: bars that there is room for, so that panels with fewer names have like bars.
    """
    positions = range(len(names))
    bars = axis.bar(positions, names["count"], color=colour, width=0.72)
    axis.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=7, color="#555555")
    axis.set_xticks(
        positions,
        [shorten(name, letters=20) for name in names["name"]],
        rotation=40 if places <= CROWDED else 60,
        ha="right",
        rotation_mode="anchor",
    )
    axis.tick_params(axis="x", length=0)
    axis.set_xlim(-0.6, max(places, 1) - 0.4)
    axis.margins(y=0.14)
    axis.set_ylabel("count")
    axis.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.grid(True, axis="y")


if __name__ == "__main__":
    run_job(plot_figure4, snakemake)
