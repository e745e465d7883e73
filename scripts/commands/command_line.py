"""What command lines share: a fault that a user can mend is one sentence, and the status is 1."""

import sys
from collections.abc import Callable
from pathlib import Path

from scripts.common.errors import UserError


def exit_status(work: Callable[[], None]) -> int:
    """Do the work of a command, and return its exit status; a ``UserError`` is printed."""
    try:
        work()
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # somebody looked at the first lines only
        sys.stderr.close()
    return 0


def refuse_under_way(directory: Path) -> None:
    """Refuse to touch what a run is at work on.

    Raises:
        UserError: a Snakemake has its locks on the working directory.
    """
    if any((directory / ".snakemake/locks").glob("*")):
        raise UserError(f"{directory}: a run is under way; try again when it is over")
