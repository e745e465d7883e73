"""The watermark check: what image prompts of each size have in common, and how each one scores."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image

from scripts.analyse.figure_style import Drawn, drawn, panels
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK
from scripts.common.schemas.watermark import OVERLAYS, WATERMARKS
from scripts.common.tables import read_table

COLUMNS = 3
CELL_HEIGHT_IN = 2.2


@drawn
def plot_watermark(
    overlays: Path, watermarks: Sequence[Path], *, style: Mapping[str, Any]
) -> Drawn:
    """Draw the mean edges of the most frequent sizes, what was found marked, and all scores.

    Args:
        overlays: table of ``OVERLAYS``.
        watermarks: tables of ``WATERMARKS``.
        style: ``found_colour``, ``sizes`` (how many), ``width_in``.

    Returns:
        The figure, and counts of images: kept are those without an overlay.
    """
    rows = read_table(overlays, OVERLAYS).to_pylist()
    scores = read_table(watermarks, WATERMARKS)
    marked = int(np.sum(scores["has_overlay"].to_numpy()))
    sizes = list(dict.fromkeys((row["width"], row["height"]) for row in rows))[: style["sizes"]]
    cells = len(sizes) + 1
    lines = -(-cells // COLUMNS)
    figure, axes = panels(lines, COLUMNS, style, CELL_HEIGHT_IN * lines + 0.4)
    for axis, size in zip(axes.flat, sizes, strict=False):
        draw_size(axis, [row for row in rows if (row["width"], row["height"]) == size], style)
    draw_scores(axes.flat[len(sizes)], scores, rows, style)
    for axis in axes.flat[cells:]:
        axis.set_axis_off()
    figure.suptitle(f"{marked:,} of {scores.num_rows:,} image prompts have an overlay")
    counts = Counts(kept=scores.num_rows - marked)
    counts.reject("overlay", marked)
    return figure, counts


def draw_size(axis: Axes, rows: Sequence[Mapping], style: Mapping[str, Any]) -> None:
    """Draw what pictures of one size have in common, a frame around each overlay."""
    first = rows[0]
    shade = {"cmap": "gray", "vmin": 0, "vmax": 255, "alpha": 1.0 if first["is_searched"] else 0.25}
    axis.imshow(Image.open(io.BytesIO(first["edges"])), **shade)
    for row in rows:
        if row["left"] is not None:
            corner = row["left"] - 0.5, row["top"] - 0.5
            frame = {"fill": False, "edgecolor": style["found_colour"], "linewidth": 1.2}
            axis.add_patch(Rectangle(corner, row["box_width"], row["box_height"], **frame))
    found = sum(row["left"] is not None for row in rows)
    words = f"{found} found" if found else "nothing found"
    if not first["is_searched"]:
        words = "too few to say"
    axis.set_title(
        f"{first['width']} × {first['height']}, {first['images']:,} images: {words}",
        fontsize=8, fontweight="normal",
    )  # fmt: skip
    axis.set(xticks=[], yticks=[])


def draw_scores(axis: Axes, scores: Any, rows: Sequence[Mapping], style: Mapping[str, Any]) -> None:
    """Draw how many images have which score, and the threshold."""
    thresholds = sorted({row[name] for row in rows for name in ("threshold", "rare_threshold")
                         if row[name] is not None})  # fmt: skip
    values = scores.filter(np.array(scores["status"]) == OK)["score"].drop_null().to_numpy()
    if not thresholds or not len(values):
        axis.text(0.5, 0.5, "no overlay,\nso no scores", ha="center", va="center", color="#666666")
        axis.set_axis_off()
        return
    axis.hist(values, bins=np.linspace(0, 1, 41), color="#8C8C8C")
    for threshold, line in zip(thresholds, ("-", "--"), strict=False):
        axis.axvline(threshold, color=style["found_colour"], linewidth=1.2, linestyle=line)
    axis.set(xlim=(0, 1), xlabel="correlation with the overlay", ylabel="images")
    words = ", ".join(f"{threshold:.2f}" for threshold in thresholds)
    axis.set_title(f"thresholds {words}", fontsize=8, fontweight="normal")


if __name__ == "__main__":
    run_job(plot_watermark, snakemake)
