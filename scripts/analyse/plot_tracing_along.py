"""Whether tracing gets harder along a video, and whether a whole video is easier to trace."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scripts.analyse.figure_style import Drawn, drawn, panels
from scripts.analyse.matrices import draw_shares
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.trace import METRICS, MUAP_AT, MUAP_VIDEO
from scripts.common.tables import read_frame

ROW_IN = 0.24


@drawn
def plot_tracing_along(
    metrics: Path,
    *,
    rows: Sequence[Mapping[str, Any]],
    generators: Sequence[Mapping[str, Any]],
    frames: int,
    style: Mapping[str, Any],
) -> Drawn:
    """Draw the muAP of each tracer (rows) at each place in the videos of each generator (panels).

    The last column, apart, is that of whole videos, by the mean of their frames' cosines.

    Args:
        metrics: table of ``METRICS``.
        rows: of Table 5, in order: ``label``, ``entry``, perhaps ``group``, ``key`` (what the
            metrics call it) and ``unavailable``.
        generators: panels, in order: ``entry``, ``label``.
        frames: of each video, evenly spread from the first to the last.
        style: ``colour_map`` and ``width_in``.

    Returns:
        The figure, and counts of numbers.
    """
    table = read_frame(metrics, METRICS).set_index(["tracer", "generator", "metric"])["value"]
    there = {
        row.get("key", row["entry"]): row["label"] for row in rows if not row.get("unavailable")
    }
    places = [f"{MUAP_AT}{place + 1}" for place in range(frames)] + [MUAP_VIDEO]
    columns = [f"{place / max(1, frames - 1):.0%}" for place in range(frames)] + ["video"]
    counts, height = Counts(), 1.9 + ROW_IN * len(there)
    figure, axes = panels(1, len(generators), style, height, sharey="row")
    for axis, generator in zip(axes[0], generators, strict=True):
        keys = [[(key, generator["entry"], place) for place in places] for key in there]
        values = [table.reindex(row).to_numpy(float) for row in keys]
        shares = pd.DataFrame(values, list(there.values()), columns)
        image = draw_shares(axis, shares, style["colour_map"])
        axis.axvline(frames - 0.5, color="white", linewidth=4)
        axis.set_title(generator["label"])
        axis.spines[:].set_visible(False)
        known = int(np.isfinite(shares).to_numpy().sum())
        counts.keep(known)
        counts.reject("no_value", shares.size - known)
    figure.get_layout_engine().set(wspace=0.1)
    figure.supxlabel("frame by its place in the video; all frames of a video together", fontsize=8)
    figure.colorbar(image, ax=axes, shrink=0.8, label="μAP")
    return figure, counts


if __name__ == "__main__":
    run_job(plot_tracing_along, snakemake)
