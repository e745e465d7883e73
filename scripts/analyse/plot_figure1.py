"""Figures 1 and 7: what each generator makes of the same prompts, frame by frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.figure_style import Drawn, bare_axes, drawn, panels, shorten
from scripts.analyse.shown_prompts import GAP, SIDE, ShownPrompts, open_shards
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.shards import Shards
from scripts.common.tables import read_frame


@drawn
def plot_figure1(
    dataset: Path,
    prompts: Path,
    videos: Mapping[str, Shards],
    *,
    generators: Sequence[Mapping[str, Any]],
    style: Mapping[str, Any],
    blurred: bool,
    seed: int,
) -> Drawn:
    """Draw frames over time of each generator's video of some prompts.

    Args:
        dataset: table of ``DATASET``.
        prompts: table of ``TIP_EVAL``, of which the seed chooses prompts of different subjects.
        videos: generator -> its videos, in the order of the rows.
        generators: in the same order: ``label``.
        style: ``uuids`` (which prompts; none lets the seed choose), ``prompts`` (how many),
            ``frames`` (of each video), ``width_in``.
        blurred: whether what is not safe is blurred.
        seed: the run's.

    Returns:
        The figure, and counts of TIP-Eval's prompts.
    """
    shown, among = ShownPrompts(dataset, blurred=blurred), read_frame(prompts, TIP_EVAL)
    chosen = shown.choose(
        style["uuids"], among, list(videos.values()), number=style["prompts"], seed=seed
    )
    rows, columns, frames = len(videos), max(1, len(chosen)), style["frames"]
    width = frames * SIDE + GAP * (frames - 1)
    height = style["width_in"] / columns * SIDE / width * rows + 0.6
    gaps = {"wspace": 0.04, "hspace": 0.04}
    figure, axes = panels(rows, columns, style, height, layout=None, gridspec_kw=gaps)
    letters = 132 // columns
    for column, uuid in enumerate(chosen):
        title = shorten(shown.rows.loc[uuid, "Text_Prompt"], letters)
        axes[0][column].set_title(title, fontsize=8, fontweight="normal")
        for axis, shards in zip(axes[:, column], videos.values(), strict=True):
            axis.imshow(shown.strip(uuid, shards, frames))
    bare_axes(axes)
    for axis, generator in zip(axes[:, 0], generators, strict=True):
        axis.set_ylabel(generator["label"], fontsize=9)
    figure.subplots_adjust(left=0.04, right=0.99, top=0.94, bottom=0.02)
    counts = Counts(kept=len(chosen))
    counts.reject("not_shown", len(among) - len(chosen))
    return figure, counts


if __name__ == "__main__":
    run_job(plot_figure1, snakemake, videos=open_shards(snakemake.params.videos))
