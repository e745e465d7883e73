"""How a script that makes a table or a figure becomes one that writes its files."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from scripts.common.rule_log import Counts


def with_faces(
    make: Callable[..., Any], write: Callable[[Any, Sequence[Path], str], Counts]
) -> Callable[..., Counts]:
    """Return a rule's function that takes what ``make`` takes, and two arguments besides.

    These are ``faces``, the files to write, whose suffix says the form, and ``banner``, a line that
    says on each of them what kind of data this is; empty for none.

    Args:
        make: returns a table or a figure.
        write: puts it into its faces, and returns the counts that close the log.
    """

    @wraps(make)
    def write_faces(*inputs: Any, faces: Sequence[Path], banner: str, **settings: Any) -> Counts:
        return write(make(*inputs, **settings), faces, banner)

    own, added = inspect.signature(make), inspect.signature(write_faces, follow_wrapped=False)
    both = [*own.parameters.values(), *(added.parameters[name] for name in ("faces", "banner"))]
    write_faces.__signature__ = own.replace(parameters=both)  # type: ignore[attr-defined]
    write_faces.__annotations__ = make.__annotations__ | {"faces": Sequence[Path], "banner": str}
    return write_faces
