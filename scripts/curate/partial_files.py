"""Half of a download, kept so that the next try or the next run asks only for the rest."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

WORTH_RESUMING = 65_536
"""Bytes from which on a download that is killed can be gone on with."""


class PartialFile:
    """The bytes of a download that came so far, with the mark and the size of the file they are of.

    Without a mark (a strong ETag, or a date of change) the rest of a file cannot be told from the
    rest of another: then a download starts anew.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._record = self.path.with_suffix(".json")
        self._noted: tuple[str | None, int | None] | None = None
        if self.path.exists():
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                record = json.loads(self._record.read_text())
                self._noted = record["mark"], record["total"]

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def mark(self) -> str | None:
        """What ``If-Range`` takes, if the rest can be asked for."""
        return self._noted[0] or None if self._noted and self.size else None

    @property
    def complete(self) -> bool:
        """Whether all bytes are there: a run was killed before it could look at them."""
        return self._noted is not None and self.size == self._noted[1]

    @contextlib.contextmanager
    def open(
        self, at: int, mark: str | None, total: int | None = None
    ) -> Iterator[Callable[[bytes], None]]:
        """Give a function that writes from byte ``at`` on.

        Args:
            at: 0 for a new file, whose ``mark`` is noted; or the present size.
            mark: ``mark_of`` the answer.
            total: size of the whole file in bytes, if the answer says it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not at:
            self.discard()  # no bytes of one file under the mark of another
        size = at

        def write(data: bytes) -> None:
            nonlocal size
            file.write(data)
            size += len(data)
            if size >= WORTH_RESUMING:
                self._note(mark, total)

        # Unbuffered: what came must be there when the process is killed.
        with open(self.path, "ab", buffering=0) as file:
            try:
                yield write
            except BaseException:
                self._note(mark, total)
                raise

    def _note(self, mark: str | None, total: int | None) -> None:
        if self._noted is None:
            temporary = self._record.with_suffix(".tmp")
            temporary.write_text(json.dumps({"mark": mark, "total": total}))
            os.replace(temporary, self._record)
            self._noted = mark, total

    def discard(self) -> None:
        """Forget what came so far."""
        # The mark first: killed in between, no bytes of another file may come under it.
        self._record.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._noted = None


def mark_of(etag: str | None, last_modified: str | None) -> str | None:
    """Return the mark of a file from the headers of an answer, or None (RFC 9110, 13.1.5)."""
    if etag and etag.startswith('"'):
        return etag
    return last_modified or None
