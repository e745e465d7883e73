"""The funnel: which share of its items each step keeps, and why it rejects the others."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from scripts.analyse.figure_style import Drawn, drawn, panels
from scripts.analyse.funnel import Kept, in_words, read_funnel, sum_up
from scripts.common.job import run_job
from scripts.common.rule_log import Counts

ROW_HEIGHT_IN = 0.27


@drawn
def plot_funnel(funnel: Path, *, style: Mapping[str, Any]) -> Drawn:
    """Draw a bar for each step: the share it kept, and the shares of the reasons.

    The shares are of what the step read, all of its parts together; so a step that loses a tenth
    shows it whether it reads a hundred items or a million.

    Args:
        funnel: CSV of ``ACCOUNT``, from ``account``.
        style: ``kept_colour``, ``rejected_colour``, ``width_in``.

    Returns:
        The figure, and counts of steps.
    """
    steps = sum_up(read_funnel(funnel))
    figure, [[axis]] = panels(1, 1, style, ROW_HEIGHT_IN * (len(steps) + 4))
    draw_steps(axis, steps, style)
    return figure, Counts(kept=len(steps))


def draw_steps(axis: Axes, steps: Sequence[Kept], style: Mapping[str, Any]) -> None:
    """Draw the bars from top to bottom, stages apart, with numbers and reasons beside them."""
    heights, ticks, height, stage = [], [], 0.0, None
    for step in steps:
        height += 1.0 if step.stage == stage or stage is None else 1.6
        if step.stage != stage:
            write(axis, -0.01, height - 0.72, step.stage, ha="right", fontsize=8, fontweight="bold")
            height += 0.15
        stage = step.stage
        heights.append(height)
        ticks.append(step.step)
        draw_step(axis, height, step, style)
    axis.set_yticks(heights, ticks, fontsize=8)
    axis.set_ylim(height + 0.8, -0.2)
    axis.set_xlim(0, 1)
    axis.xaxis.set_major_formatter("{x:.0%}")
    axis.xaxis.set_ticks_position("top")
    axis.tick_params(axis="both", length=0)
    axis.set_title("What each step keeps, as a share of what it reads", pad=10)
    axis.spines[["left", "bottom"]].set_visible(False)


def draw_step(axis: Axes, height: float, step: Kept, style: Mapping[str, Any]) -> None:
    """Draw one step: the kept share, then one piece for each reason, then both in words."""
    whole = max(1, step.read)
    bar = {"height": 0.72, "edgecolor": "white", "linewidth": 0.8}
    axis.barh(height, step.kept / whole, color=style["kept_colour"], **bar)
    left = step.kept
    for number in step.largest_first.values():
        axis.barh(height, number / whole, left=left / whole, color=style["rejected_colour"], **bar)
        left += number
    write(axis, 1.015, height, step.sentence(), fontsize=7.5)
    write(axis, 1.36, height, in_words(step.largest_first), fontsize=7, color="#666666")


def write(axis: Axes, left: float, height: float, words: str, **look: Any) -> None:
    """Write words beside the bars, from a place in widths of the axis, at the height of a bar."""
    axis.text(left, height, words, transform=axis.get_yaxis_transform(), va="center", **look)


if __name__ == "__main__":
    run_job(plot_funnel, snakemake)
