"""Segments: bytes of finished items one after the other, in files that grow at their end.

A file for each item is more than the file system of a cluster bears: a shard of the paper's has
26,000 videos. A segment is a tar without an end, of members named as the items; each process that
adds to a folder has one of its own.
"""

import json
import os
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.fingerprints import sha256_of

PATTERN = "part-*.tar"
"""Names of segments in their folder, the oldest first."""


@dataclass(frozen=True)
class Placed:
    """An item in a segment: a line of JSON, its ``fields``, and then its bytes.

    Attributes:
        name: of the item.
        fields: what is known of it, JSON-like.
        segment: in which it lies.
        start: where its line begins, in bytes.
        offset: where its bytes begin.
        end: where they end.
    """

    name: str
    fields: Mapping[str, Any]
    segment: Path
    start: int
    offset: int
    end: int


def items_in(segment: Path) -> Iterator[Placed]:
    """Yield the items that a segment has whole, in their order.

    What is torn, since a process was killed or the disk is broken, is passed over.
    """
    size = segment.stat().st_size
    try:
        with tarfile.open(segment, "r:") as archive:
            for member in archive:
                start, end = member.offset_data, member.offset_data + member.size
                line = archive.extractfile(member).readline() if end <= size else b""
                try:
                    yield Placed(
                        member.name, json.loads(line), segment, start, start + len(line), end
                    )
                except ValueError:
                    continue
    except tarfile.ReadError:  # nothing, or its last header, was written
        return


class Segments:
    """The segments of a folder, read and added to by the names of items; threads may share it.

    Attributes:
        folder: in which they lie.
    """

    def __init__(self, folder: Path):
        """Find what lies in ``folder``; of an item that is there twice, the later one counts."""
        self.folder, self._lock = folder, threading.Lock()
        segments = sorted(folder.glob(PATTERN))
        self._items = {one.name: one for segment in segments for one in items_in(segment)}
        self._own: Path | None = None
        self._end = 0

    def __contains__(self, name: str) -> bool:
        return name in self._items

    def __len__(self) -> int:
        return len(self._items)

    def fields(self, name: str) -> Mapping[str, Any]:
        """Return what is known of an item."""
        return self._items[name].fields

    def read(self, name: str) -> bytes:
        """Return an item's bytes.

        Raises:
            UserError: they are not those that were added.
        """
        item = self._items[name]
        with open(item.segment, "rb") as file:
            file.seek(item.offset)
            data = file.read(item.end - item.offset)
        if sha256_of(data) != item.fields["sha256"]:
            raise UserError(f"{item.segment} does not hold {name} as it says; delete it")
        return data

    def add(self, name: str, data: bytes, fields: Mapping[str, Any]) -> None:
        """Write an item at the end of this process's segment, at once.

        Raises:
            OSError: the disk's. What it took is overwritten by the next item.
        """
        fields = {**fields, "sha256": sha256_of(data)}
        line = json.dumps(fields).encode() + b"\n"
        member = tarfile.TarInfo(name)
        member.size = len(line) + len(data)
        head, tail = member.tobuf(tarfile.USTAR_FORMAT), bytes(-member.size % tarfile.BLOCKSIZE)
        with self._lock:
            if self._own is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._own = self.folder / f"part-{time.time_ns()}-{os.getpid()}.tar"
                self._own.touch()
            with open(self._own, "r+b") as file:
                file.seek(self._end)
                file.truncate()
                file.write(head + line + data + tail)
            start = self._end + len(head)
            self._end = start + member.size + len(tail)
            place = Placed(name, fields, self._own, start, start + len(line), start + member.size)
            self._items[name] = place

    def drop(self) -> None:
        """Delete all segments."""
        for segment in self.folder.glob(PATTERN):
            segment.unlink()
        self._items, self._own, self._end = {}, None, 0
