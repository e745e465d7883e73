"""What all figures share: type, lines, the banner at the foot, and files without dates."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from scripts.analyse.faces import with_faces
from scripts.common.errors import UserError
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import DIRECTION, SUBJECT

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "text.parse_math": False,  # names come from users: a dollar sign is no formula
    "pdf.fonttype": 42,  # letters stay letters, so that a PDF can be searched
    "savefig.dpi": 200,
}

WITHOUT_DATES = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}

Drawn = tuple[Figure, Counts]
"""What the function of a figure's rule returns: the figure, and the counts that close the log."""


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw in the style of the figures within this block, and close what was drawn."""
    with matplotlib.rc_context(STYLE):
        try:
            yield
        finally:
            plt.close("all")


def drawn(draw: Callable[..., Drawn]) -> Callable[..., Counts]:
    """Return a function that draws in the style of the figures, and saves in ``faces`` (.pdf, .png).

    ``banner`` becomes a line at the foot (``with_faces``).
    """

    def save(made: Drawn, faces: Sequence[Path], banner: str) -> Counts:
        figure, counts = made
        save_figure(figure, faces, banner)
        return counts

    return figure_style()(with_faces(draw, save))


def need_colours(style: Mapping[str, Any], figure: str, number: int, of_what: str) -> None:
    """Check that there is a colour for each line of a figure.

    Args:
        style: of the figure: ``colours``.
        figure: its key in ``analyse.figures``.
        number: of lines.
        of_what: what a line is, in the plural.

    Raises:
        UserError: there are fewer colours.
    """
    if len(style["colours"]) < number:
        raise UserError(
            f"analyse.figures.{figure}.colours has {len(style['colours'])} colours for {number} "
            f"{of_what}; add one for each"
        )


def panels(
    rows: int, columns: int, style: Mapping[str, Any], height_in: float, **more: Any
) -> tuple[Figure, np.ndarray]:
    """Return a figure of panels and its axes, of shape (rows, columns).

    Args:
        rows: of panels, one below the other.
        columns: of panels, side by side.
        style: of the figure: ``width_in``.
        height_in: of the figure.
        more: as ``subplots`` of matplotlib takes it.
    """
    look = {"figsize": (style["width_in"], height_in), "layout": "constrained"} | more
    return plt.subplots(rows, columns, squeeze=False, **look)


def popularity_panels(style: Mapping[str, Any], height_in: float) -> tuple[Figure, list[tuple]]:
    """Return a figure with a panel for subjects above one for directions.

    Args:
        style: ``subject_colour``, ``direction_colour``, ``width_in``.
        height_in: of a panel.

    Returns:
        The figure, and axes, kind (of ``POPULARITY``), plural and colour of each panel.
    """
    figure, axes = panels(2, 1, style, 2 * height_in)
    colours = style["subject_colour"], style["direction_colour"]
    kinds, plurals = (SUBJECT, DIRECTION), ("subjects", "directions")
    return figure, list(zip(axes.flat, kinds, plurals, colours, strict=True))


def save_figure(figure: Figure, paths: Iterable[Path], banner: str) -> None:
    """Write a figure; the same figure gives the same bytes.

    Args:
        figure: what was drawn.
        paths: files to write, .png or .pdf.
        banner: a line for the foot of the figure; empty for none.
    """
    if banner:
        figure.text(
            0.5, -0.01, banner, ha="center", va="top", fontsize=7.5, color="#8A5A00", wrap=True
        )
    for text in figure.findobj(Text):
        text.set_text(drawable(text.get_text()))
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(
            path, bbox_inches="tight", pad_inches=0.12, metadata=WITHOUT_DATES[path.suffix]
        )


def drawable(text: str) -> str:
    """Return a text in which letters that the font lacks are named: ``[cjk]``, ``[emoji]``.

    Prompts are in every script of the world; a box would say nothing.
    """
    known = _characters()
    if all(ord(letter) in known or letter.isspace() for letter in text):
        return text
    text = text.replace("\u200d", "").replace("\ufe0f", "")  # what joins and varies emoji
    pieces = groupby(text, lambda letter: "" if ord(letter) in known else _script_of(letter))
    return "".join(f"[{name}]" if name else "".join(run) for name, run in pieces)


@cache
def _characters() -> frozenset[int]:
    font = font_manager.get_font(font_manager.findfont(STYLE["font.family"]))
    return frozenset([*font.get_charmap(), ord("\n")])


def _script_of(letter: str) -> str:
    if unicodedata.category(letter) in ("So", "Sk", "Cf", "Mn", "Cn", "Co"):
        return "emoji"
    return unicodedata.name(letter, "other").split()[0].lower()


def bare_axes(axes: Any) -> None:
    """Take the ticks and the frame off axes, which show pictures."""
    for axis in np.atleast_1d(axes).flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)


def shorten(name: str, letters: int) -> str:
    """Return a name of at most so many letters, its end replaced by three dots if need be."""
    name = " ".join(name.split())
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "…"
