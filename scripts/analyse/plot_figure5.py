"""Figure 5: what share of all requests the most popular subjects and directions have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from scripts.analyse.figure_style import Drawn, drawn, popularity_panels
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import POPULARITY
from scripts.common.tables import read_frame

PANEL_HEIGHT_IN = 2.4
FEW = 60
"""Names up to which each is a point on a linear axis; more stand on a logarithmic one."""

MARKED_SHARES = (0.5, 0.8)
"""Shares whose number of names is written at the curve."""


@drawn
def plot_figure5(popularity: Path, *, style: Mapping[str, Any]) -> Drawn:
    """Draw 'the ratio of the sum of the top N to the total frequencies' (Section 5.1).

    Args:
        popularity: table of ``POPULARITY``.
        style: ``subject_colour``, ``direction_colour``, ``width_in``.

    Returns:
        The figure, and counts of names.
    """
    rows = read_frame(popularity, POPULARITY)
    figure, panels = popularity_panels(style, PANEL_HEIGHT_IN)
    for axis, kind, plural, colour in panels:
        draw_curve(axis, rows[rows["kind"] == kind], colour)
        axis.set_title(plural.capitalize())
        axis.set_xlabel(f"top N {plural}")
    return figure, Counts(kept=len(rows))


def draw_curve(axis: Axes, names: pd.DataFrame, colour: str) -> None:
    """Draw the cumulative share over the rank, and mark where it reaches a half and four fifths.

    Args:
        axis: where.
        names: rows of ``POPULARITY``, in the order of their ranks.
        colour: of the curve.
    """
    axis.set_ylim(0, 1.04)
    if len(names) > FEW:
        axis.set_xscale("log")
        axis.set_xlim(0.9, len(names) * 1.15)
    else:
        axis.set_xlim(0, max(10, len(names)) + 1)
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.set_ylabel("share of all requests")
    axis.grid(True)
    if names.empty:
        return
    marks = {"marker": "o", "markersize": 3} if len(names) <= FEW else {}
    axis.plot(names["rank"], names["cumulative_share"], color=colour, linewidth=2, **marks)
    axis.fill_between(names["rank"], names["cumulative_share"], color=colour, alpha=0.12, lw=0)
    for share in MARKED_SHARES:
        number = names_for(names["cumulative_share"], share)
        height = names["cumulative_share"].iloc[number - 1]
        axis.plot([number], [height], "o", color=colour, markersize=6, markeredgecolor="white")
        axis.annotate(
            f"{number:,} of {len(names):,}: {height:.0%}",
            (number, height),
            xytext=(8, -11),
            textcoords="offset points",
            fontsize=8,
            color="#333333",
        )


def names_for(shares: pd.Series, wanted: float) -> int:
    """Return how many of the most frequent names have at least the share ``wanted`` together."""
    return int((shares < wanted - 1e-12).sum()) + 1


if __name__ == "__main__":
    run_job(plot_figure5, snakemake)
