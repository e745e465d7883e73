"""The precision-recall curve of the filter of unsafe prompts, beside what a guess would reach."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.analyse.figure_style import Drawn, drawn, panels
from scripts.common.job import run_job
from scripts.common.rule_log import Counts


@drawn
def plot_prompt_filter(curve: Path, *, style: Mapping[str, Any]) -> Drawn:
    """Draw precision over recall on the prompts of users of whom nothing was learnt.

    Args:
        curve: CSV of ``train_prompt_filter``; what stands above it becomes the title.
        style: ``colour`` and ``width_in``.

    Returns:
        The figure, and counts of points of the curve.
    """
    with open(curve, encoding="utf-8") as lines:
        title = lines.readline().strip()
    # From the lowest threshold, which takes all prompts for unsafe, as a guess does.
    points = pd.read_csv(curve, comment="#").sort_values("threshold")
    guess = points["precision"].iloc[0]
    figure, [[axis]] = panels(1, 1, style, 0.75 * style["width_in"])
    # Between two thresholds precision is no line: that of the next one holds.
    axis.step(points["recall"], points["precision"], where="post", color=style["colour"])
    axis.axhline(guess, color="black", linestyle="--", linewidth=1)
    axis.annotate("a guess", (0, guess), xytext=(2, 3), textcoords="offset points")
    # A banner stands before it, and at the foot of the figure.
    axis.set_title(title[title.index("average precision") :].replace(", ", "\n"))
    axis.set(xlim=(-0.02, 1.02), ylim=(0, 1.04))
    axis.set(xlabel="unsafe prompts found (recall)", ylabel="unsafe of what is found (precision)")
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_formatter("{x:.0%}")
    return figure, Counts(kept=len(points))


if __name__ == "__main__":
    run_job(plot_prompt_filter, snakemake)
