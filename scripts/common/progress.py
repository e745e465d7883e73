"""Progress of long work: rate and time left, on the terminal only.

Where nobody watches (no terminal: a cluster's log) a line every 30 seconds replaces the bar.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` and show how far they are.

    Args:
        items: what is worked on.
        what: the bar's name, such as ``encode camera_move 00000``.
        total: how many there are, if ``items`` has no length.
    """
    return iter(progress_bar(what, total, iterable=items))


def progress_bar(what: str, total: int | None, **settings: Any) -> tqdm:
    """Return a bar for work that finishes in no order: a context manager with ``update``.

    Args:
        what: the bar's name.
        total: how many items or bytes there are.
        settings: of tqdm, such as ``initial``: how many of them an earlier run has finished.
    """
    watched = sys.stderr.isatty()
    return tqdm(
        desc=what,
        total=total,
        **settings,
        mininterval=0.5 if watched else 30,
        delay=2,
        leave=False,
        dynamic_ncols=watched,
        file=sys.stderr,
    )
