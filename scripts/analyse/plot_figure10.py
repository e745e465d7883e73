"""Figures 10 and 11: an example of each of the most popular subjects, or directions."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.analyse.figure_style import Drawn, bare_axes, drawn, panels, shorten
from scripts.analyse.shown_prompts import ShownPrompts
from scripts.common.identity import seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import POPULARITY, SUBJECT
from scripts.common.shards import Shards
from scripts.common.tables import read_frame

COLUMNS = 5
LINE, LINES = 27, 3
"""Letters of a line below a picture, and how many lines there are at most."""


@drawn
def plot_figure10(
    dataset: Path,
    popularity: Path,
    images: Shards,
    *,
    kind: str,
    top: int,
    style: Mapping[str, Any],
    blurred: bool,
    seed: int,
) -> Drawn:
    """Draw a text and image prompt for each of the top names (Supplement 11).

    Args:
        dataset: table of ``DATASET``; a safe prompt is chosen before one that is not.
        popularity: table of ``POPULARITY``.
        images: image prompts.
        kind: subject or direction.
        top: how many names.
        style: ``width_in``.
        blurred: whether what is not safe is blurred.
        seed: the run's.

    Returns:
        The figure, and counts of the top names.
    """
    shown = ShownPrompts(dataset, blurred=blurred)
    names = read_frame(popularity, POPULARITY).query("kind == @kind and rank <= @top")["name"]
    lists = shown.rows["Subject" if kind == SUBJECT else "Direction"].fillna("")
    of_name = (lists if kind == SUBJECT else lists.str.split(",")).explode().str.strip()
    examples = {}
    for name in names:
        order = seeded_order(of_name.index[of_name == name], seed, "examples")
        found = sorted((uuid for uuid in order if uuid in images), key=shown.unsafe.__contains__)
        examples |= {name: found[0]} if found else {}
    rows = max(1, -(-len(examples) // COLUMNS))
    height = rows * (style["width_in"] / COLUMNS + 0.75)
    figure, axes = panels(rows, COLUMNS, style, height, layout=None)
    for axis, (name, uuid) in zip(axes.flat, examples.items(), strict=False):
        axis.imshow(shown.picture(uuid, images))
        axis.set_title(shorten(name, 22), loc="center", fontsize=9)
        text = shown.rows.loc[uuid, "Text_Prompt"]
        axis.set_xlabel(
            "\n".join(textwrap.wrap(text, LINE, max_lines=LINES, placeholder=" …")), fontsize=7
        )
    bare_axes(axes)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.97, bottom=0.06, hspace=0.55)
    counts = Counts(kept=len(examples))
    counts.reject("no_image", len(names) - len(examples))
    return figure, counts


if __name__ == "__main__":
    images = Shards(snakemake.input.images, snakemake.input.image_indexes)
    run_job(plot_figure10, snakemake, images=images)
