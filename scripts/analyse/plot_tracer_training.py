"""Curves of the trained tracers: loss, accuracy and learning rate over the iterations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from scripts.analyse.figure_style import Drawn, drawn, need_colours, panels
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.trace import TRAINING_COLUMNS

HEIGHTS_IN = (2.4, 1.9, 1.1)
FEW = 40
"""Rows of a table up to which each is a point."""

LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
"""One for each run in turn, so that curves can be told apart without colours."""


@drawn
def plot_tracer_training(
    tables: Sequence[Path],
    *,
    networks: Sequence[Mapping[str, Any]],
    runs: Sequence[str],
    style: Mapping[str, Any],
) -> Drawn:
    """Draw how the tracers 'Ours' of Table 5 learned (Supplement 16), one line for each run.

    Args:
        tables: of each network's runs in turn, training tables (``TRAINING_COLUMNS``): means over
            the iterations since the row before, of the loss with its margin and of the share of
            pictures whose class is nearest.
        networks: side by side: ``label``.
        runs: of each network, as the legend calls them.
        style: ``colours``, one for each run, and ``width_in``.

    Returns:
        The figure, and counts of rows.

    Raises:
        UserError: fewer colours than runs, or a table lacks a column.
    """
    need_colours(style, "tracer_training", len(runs), "trainings")
    read = [read_training(path) for path in tables]
    starts = range(0, len(read), len(runs))
    each = [dict(zip(runs, read[start : start + len(runs)], strict=True)) for start in starts]
    sides = {"sharex": "col", "height_ratios": HEIGHTS_IN}
    figure, columns = panels(3, len(networks), style, sum(HEIGHTS_IN), **sides)
    for network, axes, rows in zip(networks, columns.T, each, strict=True):
        draw_network(axes, rows, style["colours"])
        if len(networks) > 1:
            axes[0].set_title(f"{network['label']}: loss")
    if len(networks) > 1:
        figure.legend(handles=columns[0, 0].lines, loc="outside upper center", ncols=3)
    else:
        columns[0, 0].legend(loc="upper right", ncols=2)
    return figure, Counts(kept=sum(map(len, read)))


def draw_network(
    axes: Sequence[Axes], rows: Mapping[str, pd.DataFrame], colours: Sequence[str]
) -> None:
    """Draw the runs of a network (their training tables): loss, accuracy and learning rate."""
    loss, accuracy, rate = axes
    for axis, column in zip(axes, ("loss", "accuracy", "learning_rate"), strict=True):
        draw_curves(axis, unlike(rows, column), column, colours)
    loss.set_title("CosFace loss")
    accuracy.set_title("Pictures of the batch whose class is nearest")
    accuracy.yaxis.set_major_formatter("{x:.0%}")
    accuracy.set_ylim(0, 1.04)
    rate.set_title("Learning rate" if len(rate.lines) > 1 else "Learning rate, of every run")
    rate.set_xlabel("iterations")
    rate.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    rate.xaxis.set_major_formatter("{x:,.0f}")


def read_training(path: Path) -> pd.DataFrame:
    """Return a training table.

    Raises:
        UserError: it lacks a column.
    """
    table = pd.read_csv(path)
    missing = [name for name in TRAINING_COLUMNS if name not in table]
    if missing:
        raise UserError(f"{path} has no column '{missing[0]}'; delete it and run again")
    return table


def unlike(rows: Mapping[str, pd.DataFrame], column: str) -> dict[str, pd.DataFrame]:
    """Return the runs to draw: one stands for all if a column is the same in all of them."""
    first, *others = rows.values()
    keys = ["iteration", column]
    if all(first[keys].equals(other[keys]) for other in others):
        return {next(iter(rows)): first}
    return dict(rows)


def draw_curves(
    axis: Axes, rows: Mapping[str, pd.DataFrame], column: str, colours: Sequence[str]
) -> None:
    """Draw a column of each run over its iterations.

    Args:
        axis: where.
        rows: training table of each run.
        column: what is drawn.
        colours: of the runs, in order.
    """
    for number, (run, table) in enumerate(rows.items()):
        axis.plot(
            table["iteration"],
            table[column],
            color=colours[number],
            linestyle=LINES[number % len(LINES)],
            linewidth=1.6,
            marker="o" if len(table) <= FEW else None,
            markersize=3,
            label=run,
        )
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=0)
    axis.grid(True)


if __name__ == "__main__":
    run_job(plot_tracer_training, snakemake)
