"""Figure 6: the generators on TIP-Eval as a radar chart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.projections.polar import PolarAxes

from scripts.analyse.figure_style import Drawn, drawn, need_colours
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.evaluate import EVALUATION_SUMMARY, MEAN
from scripts.common.tables import read_table

INNER, OUTER = 0.3, 0.8
"""'Results are normalized per dimension to a common scale between 0.3 and 0.8 linearly' (Table 7)."""

MARKERS = "osD^vPX*"
"""One for each generator in turn, so that lines can be told apart without colours."""


@drawn
def plot_figure6(
    summary: Path,
    *,
    generators: Sequence[Mapping[str, str]],
    dimensions: Sequence[Mapping[str, str]],
    style: Mapping[str, Any],
) -> Drawn:
    """Draw each generator's mean scores, scaled per dimension (Section 5.2).

    Args:
        summary: table of ``EVALUATION_SUMMARY``.
        generators: lines, in order: ``entry``, ``label``.
        dimensions: axes, in order: ``entry``, ``label``; at least three. One that cannot be had
            (``unavailable``) has no axis, since how the generators lie on it is not known here; a
            line at the foot names it.
        style: ``colours``, one for each generator, and ``width_in``.

    Returns:
        The figure, and counts of numbers.

    Raises:
        UserError: too few dimensions, or fewer colours than generators.
    """
    missing = [axis["label"] for axis in dimensions if axis.get("unavailable")]
    dimensions = [axis for axis in dimensions if not axis.get("unavailable")]
    if len(dimensions) < 3:
        raise UserError(
            f"Figure 6 needs three dimensions or more to be a radar chart, not {len(dimensions)}; "
            "add entries of config/dimensions.yaml to evaluate.dimensions"
        )
    need_colours(style, "figure6", len(generators), "generators")
    rows = read_table(summary, EVALUATION_SUMMARY).to_pylist()
    means = {
        (row["dimension"], row["generator"]): row["value"] for row in rows if row["metric"] == MEAN
    }
    values = np.array(
        [[means.get((axis["entry"], line["entry"])) for line in generators] for axis in dimensions],
        dtype=float,
    )
    figure = plt.figure(figsize=(style["width_in"], style["width_in"]))
    chart = figure.add_axes((0.16, 0.17, 0.68, 0.68), projection="polar")
    draw_web(chart, [axis["label"] for axis in dimensions])
    draw_lines(chart, normalise_for_radar(values), generators, style["colours"])
    figure.legend(loc="lower center", bbox_to_anchor=(0.5, 0.02), ncols=min(5, len(generators)))
    if missing:
        words = f"Without an axis, since nobody can measure them here: {', '.join(missing)}."
        figure.text(0.5, 0.02, words, ha="center", va="top", fontsize=7.5, color="#666666")
    counts = Counts(declared=values.size, kept=int((~np.isnan(values)).sum()))
    counts.reject("no_value", int(np.isnan(values).sum()))
    return figure, counts


def normalise_for_radar(values: np.ndarray) -> np.ndarray:
    """Return values scaled, as VBench does, so that each dimension's worst is 0.3 and its best 0.8.

    Args:
        values: shape (dimensions, generators); NaN where there is no value.

    Returns:
        The same shape; NaN stays NaN. Where all values of a dimension are equal none is better:
        they lie in the middle.
    """
    lowest = np.fmin.reduce(values, axis=1, keepdims=True)  # as min, but blind to NaN
    spread = np.fmax.reduce(values, axis=1, keepdims=True) - lowest
    with np.errstate(invalid="ignore"):
        shares = np.where(spread == 0, 0.5 + 0 * values, (values - lowest) / spread)
    return INNER + (OUTER - INNER) * shares


def angles_of(axes: int) -> np.ndarray:
    """Return the angles of so many axes, in radians, the first one upwards."""
    return np.linspace(0, 2 * np.pi, axes, endpoint=False)


def draw_web(chart: PolarAxes, labels: Sequence[str]) -> None:
    """Draw the axes with their names, and rings at the worst, the middle and the best value."""
    chart.set_theta_zero_location("N")
    chart.set_theta_direction(-1)
    chart.set_ylim(0, 0.9)
    chart.set_yticks([INNER, (INNER + OUTER) / 2, OUTER], ["worst", "", "best"])
    chart.set_rlabel_position(180 / max(1, len(labels)))
    for ring in chart.get_yticklabels():
        ring.set(fontsize=7, color="#666666", ha="center", va="center", zorder=5)
        ring.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1})
    chart.spines["polar"].set_visible(False)
    chart.grid(True, axis="both", color="#DADADA")
    angles = angles_of(len(labels))
    chart.set_xticks(angles, [""] * len(labels))
    for angle, label in zip(angles, labels, strict=True):
        # Beside the circle, a name grows away from it; above and below it is centred.
        side = np.sin(angle)
        place = "center" if abs(side) < 0.05 else "left" if side > 0 else "right"
        height = "bottom" if np.cos(angle) > 0.95 else "top" if np.cos(angle) < -0.95 else "center"
        name = label.replace(" ", "\n", 1) if len(label) > 14 else label
        chart.text(angle, 0.95, name, ha=place, va=height, fontsize=10, linespacing=1.1)


def draw_lines(
    chart: PolarAxes,
    radii: np.ndarray,
    generators: Sequence[Mapping[str, str]],
    colours: Sequence[str],
) -> None:
    """Draw one closed line for each generator.

    Args:
        chart: where.
        radii: shape (dimensions, generators), from ``normalise_for_radar``.
        generators: ``label`` of each column.
        colours: of each column.
    """
    angles = angles_of(len(radii))
    around = np.append(angles, angles[0])
    for column, generator in enumerate(generators):
        line = np.append(radii[:, column], radii[0, column])
        chart.plot(
            around,
            line,
            color=colours[column],
            linewidth=1.8,
            marker=MARKERS[column % len(MARKERS)],
            markersize=5.5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            label=generator["label"],
        )
        if not np.isnan(line).any():
            chart.fill(around, line, color=colours[column], alpha=0.05)


if __name__ == "__main__":
    run_job(plot_figure6, snakemake)
