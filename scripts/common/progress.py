"""Progress of long work: rate and time left, on the terminal only."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` and show how far they are.

    Where nobody watches (no terminal: a cluster's log) a line every 30 seconds replaces the bar.

    Args:
        items: what is worked on.
        what: the bar's name, such as ``encode camera_move 00000``.
        total: how many there are, if ``items`` has no length.
    """
    return iter(_bar(items, desc=what, total=total))


def item_progress(what: str, total: int, done: int = 0) -> tqdm:
    """Return a bar for work that finishes in no order: a context manager with ``update``.

    Args:
        what: the bar's name.
        total: how many items there are.
        done: how many of them an earlier run has finished.
    """
    return _bar(desc=what, total=total, initial=done)


def byte_progress(what: str, total: int) -> tqdm:
    """Return a bar for ``total`` bytes: a context manager of which ``update`` takes how many more.

    It shows as ``progress`` does.
    """
    return _bar(desc=what, total=total, unit="B", unit_scale=True)


def _bar(*items: Iterable[T], **settings: object) -> tqdm:
    watched = sys.stderr.isatty()
    return tqdm(
        *items,
        **settings,
        mininterval=0.5 if watched else 30,
        delay=2,
        leave=False,
        dynamic_ncols=watched,
        file=sys.stderr,
    )
