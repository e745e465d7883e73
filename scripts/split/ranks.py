"""Seeded ranks: which side of a split something falls on depends on its own name alone."""

from collections.abc import Iterable
from math import floor

from scripts.common.identity import seeded_order


def first_ranked(names: Iterable[str], number: int, seed: int, *purpose: str) -> set[str]:
    """Return the ``number`` names that rank first; fewer if there are fewer.

    A name that is added can push out one that was in, and changes nothing else.
    """
    return set(seeded_order(names, seed, *purpose)[:number])


def held_out(names: Iterable[str], share: float, seed: int, *purpose: str) -> set[str]:
    """Return the names of the test side: a share of all, first in rank.

    Of two names or more, each side gets at least one; a single name is for training.
    """
    names = set(names)
    number = floor(share * len(names) + 0.5)
    number = min(max(number, 1), len(names) - 1) if names else 0
    return first_ranked(names, number, seed, *purpose)
