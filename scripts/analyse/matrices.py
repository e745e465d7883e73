"""Matrices of numbers in figures: a colour for each number, and the number itself upon it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

UPRIGHT = MappingProxyType({"rotation": 90})
LEAST = 0.005
"""A share that would be written as a nought, where most shares of a matrix are."""


def draw_matrix(
    axis: Axes,
    numbers: pd.DataFrame,
    write: Callable[[float], str],
    is_light: Callable[[float], bool],
    names: Mapping[str, Any] = UPRIGHT,
    **shades: Any,
) -> Any:
    """Draw numbers with the names of their rows and columns; return what a colour bar belongs to.

    Args:
        axis: where.
        numbers: of which there may be none; then a row of nothing is drawn.
        write: says what stands upon a number's colour, empty for nothing...
        is_light: ... and whether that must be black to be read.
        names: how those of the columns are set.
        shades: ``cmap``, ``vmin`` and ``vmax``.
    """
    values = numbers.to_numpy(float)
    there = values if len(values) else np.full((1, values.shape[1]), np.nan)
    image = axis.imshow(there, aspect="auto", **shades)
    axis.set_xticks(range(values.shape[1]), numbers.columns, fontsize=7, **names)
    axis.set_yticks(range(len(values)), numbers.index, fontsize=7)
    for (row, column), value in np.ndenumerate(values):
        if words := write(value):
            colour = "black" if is_light(value) else "white"
            axis.text(column, row, words, ha="center", va="center", fontsize=6, color=colour)
    return image


def draw_shares(axis: Axes, shares: pd.DataFrame, colour_map: str, least: float = 0.0) -> Any:
    """Draw shares as ``draw_matrix`` does, in percent where they are known and ``least`` at least.

    Names of the configuration become words.
    """
    return draw_matrix(
        axis,
        shares.rename(index=_in_words, columns=_in_words),
        write=lambda share: f"{100 * share:.0f}" if share >= least else "",
        is_light=lambda share: share > 0.5,
        cmap=colour_map,
        vmin=0,
        vmax=1,
    )


def _in_words(name: str) -> str:
    return name.replace("_", " ")
