"""What the demo's prompts are about: subjects with their pictures, and actions with their motions.

They lie in subjects.csv and actions.csv; styles, qualities and foreign prompts in phrases.csv.
"""

import itertools
from dataclasses import dataclass
from operator import itemgetter

from scripts.demo.lists import phrases, table, texts
from scripts.demo.scenes import Box


@dataclass(frozen=True)
class View:
    """One picture of a subject.

    ``focus`` is the point to keep in sight (shares of width and height), ``near`` the smallest
    crop as a share of the largest, ``place`` words that belong to the picture, and ``area`` the
    part of the picture that prompts may use: what is left is footage for the real videos.
    """

    scene: str
    focus: tuple[float, ...]
    near: float
    place: str
    area: Box


@dataclass(frozen=True)
class Subject:
    """A subject: its share of prompts, how people write it (plural ones marked), pictures, actions."""

    name: str
    weight: int
    singular: tuple[str, ...]
    plural: tuple[str, ...]
    views: tuple[View, ...]
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """An action: the motion that shows it, and how people ask for it.

    ``[waves|wave]`` is the verb for one and for several; ``{s}`` is the subject.
    """

    motion: str
    phrases: tuple[str, ...]


ACTIONS = {row["name"]: Action(row["motion"], texts(row["phrases"])) for row in table("actions")}
"""Actions by name."""


def _subject(rows: list[dict[str, str]]) -> Subject:
    """Return the subject of some rows: each has a picture, the first has the words."""
    words = rows[0]
    shares = [
        {name: tuple(map(float, row[name].split())) for name in ("focus", "area")} for row in rows
    ]
    return Subject(
        words["name"],
        int(words["weight"]),
        texts(words["singular"]),
        texts(words["plural"]),
        tuple(
            View(row["scene"], near=float(row["near"]), place=row["place"], **share)
            for row, share in zip(rows, shares, strict=True)
        ),
        tuple(words["actions"].split()),
    )


SUBJECTS = tuple(
    _subject(list(rows)) for _, rows in itertools.groupby(table("subjects"), itemgetter("name"))
)
"""Subjects, the most popular first."""

STYLES = phrases("style")
"""How people name what a colour treatment does."""

QUALITIES = phrases("quality")[""]
"""What people add, with characters that HTML must escape."""

FOREIGN = phrases("foreign")
"""Prompts in other languages, by subject and action."""
