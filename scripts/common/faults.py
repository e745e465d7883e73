"""Faults: whether an error is an item's own or the machine's, and which items failed before.

Where items fail again that failed in a run that ended well, no machine is to blame. A run that is
started again tries only them; without a note of them, ten odd items of a hundred thousand would
then look like ten failures in a row.
"""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Mapping, Set
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint

_NO_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")
"""What torch says where it raises a plain RuntimeError: of a card, of the CPU, of cuBLAS."""

_BROKEN_CARD = ("CUDA error", "cuDNN error")
_DISK = {
    errno.ENOSPC: "make room there ('make du' tells what lies where)",
    errno.EDQUOT: "make room there, or ask for a larger quota",
    errno.EROFS: "let it be written to",
    errno.EACCES: "let this user write there",
}
"""What is wrong with a disk -> the way out."""

_NOTE = "failed.items"
FAILURES_IN_A_ROW = 10
"""So many failures one after the other are the machine's fault, not the items'."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory did not suffice, on a card or off it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _NO_MEMORY)
    )


def is_of_the_machine(error: BaseException) -> bool:
    """Return whether no item can be blamed: a disk, a connection, a card, what a user can mend."""
    names = {kind.__name__ for kind in type(error).__mro__}
    card = "AcceleratorError" in names or any(word in str(error) for word in _BROKEN_CARD)
    return not is_out_of_memory(error) and (isinstance(error, OSError | UserError) or card)


def disk_fault(error: BaseException) -> UserError | None:
    """Return an error of the disk as one that a user can mend; None if it is another.

    Known by what the system calls it, since libraries in Rust raise it as a kind of their own.
    """
    for code, way_out in _DISK.items():
        if os.strerror(code) in str(error):
            place = getattr(error, "filename", None) or Path.cwd()
            said = f"{os.strerror(code)}: {place}; {way_out} and run again: finished items are kept"
            return UserError(said)
    return None


def free_memory() -> None:
    """Give back what torch holds of a card's memory and does not use."""
    torch = sys.modules.get("torch")  # where it is not imported, it holds nothing
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def first_line(error: BaseException) -> str:
    """Return an error's kind and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


class Failures:
    """Items that failed, until so many did one after the other that it cannot be theirs.

    Attributes:
        keys: of the items.
    """

    def __init__(self, name: str, known: Set[str] = frozenset()):
        """Name what fails; items that are known to fail make no row of failures."""
        self._name, self._known = name, known
        self._in_a_row: list[Exception] = []
        self.keys: list[str] = []

    def add(self, key: str, error: Exception) -> None:
        """Count an item's error.

        Raises:
            Exception: the error itself, if it is not the item's.
            UserError: the memory does not suffice, or it is one too many in a row.
        """
        if is_of_the_machine(error):
            raise error
        if is_out_of_memory(error):
            raise UserError(
                f"{self._name}: the memory does not suffice for one item ({first_line(error)}); "
                "ask for a larger device: finished items are kept"
            ) from error
        self.keys.append(key)
        if key not in self._known:
            self._in_a_row.append(error)
        self.refuse(FAILURES_IN_A_ROW)

    def end_row(self) -> None:
        """Begin the count anew: an item was done."""
        self._in_a_row.clear()

    def refuse(self, most: int) -> None:
        """Give up if the last so many items, or more, failed one after the other.

        Raises:
            UserError: they did.
        """
        if len(self._in_a_row) >= most:
            raise UserError(
                f"{self._name} failed {len(self._in_a_row)} times in a row, first with "
                f"'{first_line(self._in_a_row[0])}'; mend that and run again: finished items are "
                "kept"
            ) from self._in_a_row[0]


def failed_before(folder: Path, items: Mapping[str, str | None]) -> set[str]:
    """Return which items, each with its version, are noted in a ledger's folder as failed."""
    noted = set()
    with contextlib.suppress(OSError, ValueError):
        noted.update(json.loads((folder / _NOTE).read_text(encoding="utf-8")))
    return {key for key, version in items.items() if _name(key, version) in noted}


def note_failed(folder: Path, items: Mapping[str, str | None]) -> None:
    """Note which items failed, in place of what was noted before; ids are not given away."""
    if not items:
        (folder / _NOTE).unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{_NOTE}.{os.getpid()}"
    part.write_text(json.dumps(sorted(map(_name, *zip(*items.items(), strict=True)))))
    os.replace(part, folder / _NOTE)


def _name(key: str, version: str | None) -> str:
    return fingerprint(item=key, version=version)
