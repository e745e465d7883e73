"""The trained detector of Table 4: the curves of its trainings, and which classes it takes for which."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.analyse.figure_style import Drawn, drawn, need_colours, panels
from scripts.analyse.matrices import LEAST, draw_shares
from scripts.analyse.plot_tracer_training import draw_curves
from scripts.analyse.table_rows import TRAINED
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import CLASSES, CROSS_DOMAIN, METRICS, SAME_DOMAIN, TABLE_4
from scripts.common.tables import read_frame

PANEL_IN = 2.6
NAMES = dict(zip((SAME_DOMAIN, CROSS_DOMAIN), TRAINED, strict=True))
POINTS = 100
"""Points of a curve, of each the mean of the iterations since the one before."""


@drawn
def plot_detector_training(
    metrics: Path,
    curves: Sequence[Path],
    *,
    generators: Sequence[Mapping[str, Any]],
    style: Mapping[str, Any],
) -> Drawn:
    """Draw a column for each setting: losses, one line for each generator, and a confusion matrix.

    Args:
        metrics: table of ``METRICS``; a matrix is the mean over the generators.
        curves: csv of each training, ``<setting>/<generator>.csv``: iteration, loss, learning_rate.
        generators: in order: ``entry``, ``label``.
        style: ``colours``, one for each generator, ``colour_map`` and ``width_in``.

    Raises:
        UserError: fewer colours than generators.
    """
    need_colours(style, "detector_training", len(generators), "generators")
    settings = list(dict.fromkeys(path.parent.name for path in curves))
    tables = {(path.parent.name, path.stem): pd.read_csv(path) for path in curves}
    measured = read_frame(metrics, METRICS)
    measured = measured[measured["table"] == TABLE_4]
    sides = {"sharey": "row", "height_ratios": (3, 4)}
    figure, axes = panels(2, len(settings), style, 2 * PANEL_IN, **sides)
    for (loss, matrix), setting in zip(axes.T, settings, strict=True):
        runs = {one["label"]: thinned(tables[setting, one["entry"]]) for one in generators}
        draw_curves(loss, runs, "loss", style["colours"])
        loss.set_title(f"{NAMES[setting]}: loss")
        loss.set_xlabel("iterations")
        loss.xaxis.set_major_formatter("{x:,.0f}")
        shares = confusion_of(measured[measured["setting"] == setting])
        draw_shares(matrix, shares, style["colour_map"], LEAST)
        matrix.set_title("Answers (%), mean of generators")
        matrix.tick_params(axis="x", rotation=0)
        matrix.set_xlabel("answer")
    axes[1, 0].set_ylabel("truth")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure, Counts(kept=len(tables))


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """Return a curve of at most ``POINTS`` rows, each the mean since the one before."""
    step = -(-len(table) // POINTS)
    return table.groupby((table.index // step).to_numpy()).agg(
        {"iteration": "last", "loss": "mean", "learning_rate": "last"}
    )


def confusion_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the share of each class (rows) that is taken for each (columns), mean of generators."""
    means = rows.groupby("metric")["value"].mean()
    return pd.DataFrame(
        {answer: [means.get(f"{truth}_as_{answer}") for truth in CLASSES] for answer in CLASSES},
        index=list(CLASSES),
        dtype=float,
    )


if __name__ == "__main__":
    run_job(plot_detector_training, snakemake)
