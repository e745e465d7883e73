"""How a step is declared to the account: where its items come in and where they come out.

JSON-like, since rules have it as a parameter; ``scripts.analyse.steps`` follows it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NotRequired, TypedDict, Union

Values = Union[list[str | None], "Items", list["Items"]]


class Items(TypedDict):
    """Rows of tables, each of which is an item.

    Attributes:
        files: tables (Parquet).
        key: columns whose values name an item, by default ``uuid``; with none, rows are counted.
        where: column -> which values a row must have there: listed, or the keys of other items.
        unless: column -> which values it must not have.
        rejected: whether rejected rows came in as well.
        distinct: whether rows of one key are one item, such as the frames of a video.
        reason: of every row, where the table names none.
        counts: columns with the number of items kept and rejected, of which the first row counts.
    """

    files: list[str]
    key: NotRequired[list[str]]
    where: NotRequired[dict[str, Values]]
    unless: NotRequired[dict[str, Values]]
    rejected: NotRequired[bool]
    distinct: NotRequired[bool]
    reason: NotRequired[str]
    counts: NotRequired[list[str]]


class Step(TypedDict):
    """What a rule does to items.

    Attributes:
        rule: its name.
        unit: what is counted, in the plural.
        part: generator, dimension or the like, where a rule runs once for each.
        read: where items come in.
        out: where they come out, kept or with a reason.
        why: where there are reasons for those that do not come out; the first one counts.
        otherwise: reason of what neither ``out`` nor ``why`` knows; without it, such are lost.
        stated: instead of ``read``, a name of ``STATED`` and its arguments; less than was found,
            or nothing, counts as what was found. What is not found is rejected ``otherwise``.
    """

    rule: str
    unit: str
    part: str
    out: Items
    read: NotRequired[Items]
    why: NotRequired[list[Items]]
    otherwise: NotRequired[str]
    stated: NotRequired[list[str]]


def step(rule: str, unit: str, part: str = "", **sides) -> Step:
    """Return a step; ``sides`` are ``read``, ``out`` ... as in ``Step``."""
    return Step(rule=rule, unit=unit, part=part, **sides)


def items(files: str | Iterable[str], key: Sequence[str] = ("uuid",), **more) -> Items:
    """Return items of some tables, each named by ``key``; ``more`` is as in ``Items``."""
    return Items(files=[files] if isinstance(files, str) else [*files], key=[*key], **more)


def rows(files: str | Iterable[str], **more) -> Items:
    """Return rows that are counted, and not followed one by one."""
    return items(files, (), **more)


def files_of(steps: Iterable[Step]) -> list[str]:
    """Return every file that the account of some steps reads, each once."""
    files: dict[str, None] = {}

    def collect(value: object) -> None:
        if isinstance(value, Mapping):
            files.update(dict.fromkeys(value.get("files", ())))
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    for step in steps:
        collect(step)
        files.update(dict.fromkeys(step.get("stated", [])[1:2]))
    return list(files)
