"""The ledger: finished items outlive the job that made them.

Snakemake deletes a job's outputs before it runs and when it fails. What is slow per item is
therefore kept under ``results/.ledger/<stage>/<fingerprint>/<shard>/`` as well, in parts that are
put in place by an atomic rename. Nothing there is needed for correctness; deleting it costs time.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from scripts.common.errors import Rejected, UserError
from scripts.common.provenance import name_ledger
from scripts.common.segments import Segments
from scripts.common.shards import ShardItem, Shards
from scripts.common.tables import TableWriter, fit, optional, read_table, write_table
from scripts.common.video import VideoProperties

LEDGER = Path("results/.ledger")
"""Where ledgers lie, seen from the working directory of the workflow."""

_VERSION = optional("ledger_version", pa.string(), "checksum of what the item was made from")
_VERSIONS = "finished.versions"
_SLICE_ROWS = 4096
SMALL_PARTS = 8
"""So many parts with few rows become one: a slow backend would leave a file every ten seconds."""


class Ledger(Protocol):
    """Where finished items outlive the job.

    Attributes:
        folder: in which they lie.
    """

    folder: Path

    def left(self, items: Iterable[str], versions: Mapping[str, str | None]) -> list[str]:
        """Return the items that are not finished, or were made from another version."""

    def keep(self, item: str, finished: Any, version: str | None) -> None:
        """Keep what an item was finished as."""

    def flush(self) -> None:
        """Write what waits to be written."""


class RowLedger:
    """Rows of finished items, such as embeddings and scores.

    Rows lie on disk; in memory are only their places, and those that are not yet written. Use it
    as a context manager; what was added is written at the latest when it closes, also when an
    error closes it.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        *,
        key: str = "uuid",
        flush_rows: int = 1_000,
        flush_seconds: float = 10.0,
    ):
        """Open the ledger and read what it holds, one part at a time.

        Args:
            folder: ``LEDGER / stage / fingerprint / shard``.
            schema: of the rows (``table_schema``).
            key: the column that names an item.
            flush_rows: write a part after so many rows...
            flush_seconds: ...or after so many seconds, whichever comes first.
        """
        self.folder, self._key, self.schema = name_ledger(Path(folder)), key, schema
        self._part_schema = schema.append(_VERSION)
        self._flush_rows, self._flush_seconds = flush_rows, flush_seconds
        self._pending: dict[str, dict] = {}
        self._flushed_at = time.monotonic()
        self._versions: dict[str, str | None] = {}
        self._places: dict[str, tuple[Path, int]] = {}
        self._small: list[Path] = []
        self._table, self._notes = self.folder / "finished.parquet", self.folder / _VERSIONS
        if self._notes.exists():
            try:  # which of its rows are no faults, and made from what
                keys = read_table(self._table, schema)[key].to_pylist()
                known = json.loads(self._notes.read_text())
                self._versions = {name: known[name] for name in keys if name in known}
                self._places = {
                    name: (self._table, row) for row, name in enumerate(keys) if name in known
                }
            except (UserError, json.JSONDecodeError):  # of another schema, or a broken disk
                self._notes.unlink()
        for part in sorted(self.folder.glob("part-*.parquet")):
            try:
                found = read_table(part, self._part_schema).select([key, _VERSION.name])
            except UserError:  # a part of another schema or a broken disk: its items are redone
                part.unlink()
                continue
            keys, versions = (column.to_pylist() for column in found.columns)
            self._versions.update(zip(keys, versions, strict=True))
            self._add_part(part, keys)

    def __contains__(self, item: str) -> bool:
        return item in self._versions

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def left(self, items: Iterable[str], versions: Mapping[str, str | None]) -> list[str]:
        """Return the items that are not finished, or were made from another version."""
        return [
            item for item in items if item not in self or self._versions[item] != versions.get(item)
        ]

    def keep(self, item: str, finished: Mapping, version: str | None = None) -> None:
        """Add a finished item; one that failed does not belong here.

        Args:
            item: its key, which is put into its row.
            finished: row of the ledger's schema; an embedding may be an array.
            version: checksum of what it was made from.
        """
        self._versions[item] = version
        self._pending[item] = {**finished, self._key: item, _VERSION.name: version}
        waited = time.monotonic() - self._flushed_at
        if len(self._pending) >= self._flush_rows or waited >= self._flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Write the rows that were added since the last part."""
        if self._pending:
            names = sorted(self._pending)
            self._write_part([self._pending[name] for name in names], names)
            self._pending = {}
            if len(self._small) >= SMALL_PARTS:
                self._merge()
        self._flushed_at = time.monotonic()

    def _merge(self) -> None:
        """Put small parts together; one that is killed leaves rows twice, which is no harm."""
        small, self._small = self._small, []
        names = sorted(name for name, (part, _) in self._places.items() if part in small)
        versions = pa.array([self._versions[name] for name in names], pa.string())
        self._write_part(self.read(names).append_column(_VERSION, versions), names)
        for part in small:
            part.unlink()

    def _write_part(self, rows: pa.Table | list[dict], names: Sequence[str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"part-{time.time_ns()}-{os.getpid()}.parquet"
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="tmp-") as folder:
            part = Path(folder) / "part.parquet"
            write_table(rows, part, self._part_schema, sort_by=[self._key])
            os.replace(part, target)
        self._add_part(target, names)

    def _add_part(self, part: Path, names: Sequence[str]) -> None:
        self._places.update((name, (part, row)) for row, name in enumerate(names))
        if len(names) < self._flush_rows:
            self._small.append(part)

    def finish(self, table: Path, items: Iterable[str]) -> None:
        """Link a finished table into the ledger in place of the parts: rows are not kept twice.

        Args:
            table: of the ledger's schema; it may hold rows of failed items as well.
            items: its rows that are to be recalled.
        """
        items = list(items)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._notes.unlink(missing_ok=True)
        _link(table, self._table)
        notes = {item: self._versions[item] for item in items}
        write_atomically(self._notes, json.dumps(notes).encode())
        for part in self.folder.glob("part-*.parquet"):
            part.unlink()

    def read(self, items: Sequence[str]) -> pa.Table:
        """Return the rows of finished items in that order.

        Raises:
            KeyError: an item is not finished.
            UserError: a part has gone, or broke after the ledger was opened.
        """
        self.flush()
        wanted: dict[Path, list[int]] = {}
        for number, item in enumerate(items):
            wanted.setdefault(self._places[item][0], []).append(number)
        pieces, order = [self.schema.empty_table()], []
        for part, numbers in wanted.items():
            table = read_table(part, self.schema, columns=self.schema.names)
            rows = [self._places[items[number]][1] for number in numbers]
            pieces.append(table.take(rows).cast(self.schema))
            order += numbers
        return pa.concat_tables(pieces).take(np.argsort(order))

    def __enter__(self) -> "RowLedger":
        return self

    def __exit__(self, *fault: object) -> None:
        self.flush()


def finished_items(folder: Path, key: str) -> set[str]:
    """Return the keys of the rows that a ``RowLedger`` in ``folder`` holds, without opening it."""
    parts = sorted(Path(folder).glob("part-*.parquet"))
    notes = Path(folder, _VERSIONS)
    finished = set(json.loads(notes.read_text())) if notes.exists() else set()
    return finished | {
        item for part in parts for item in read_table(part, columns=[key])[key].to_pylist()
    }


@dataclass(frozen=True)
class FinishedRows:
    """The rows of all wanted items, in the items' order.

    Attributes:
        ledger: has the rows of the finished items.
        items: the wanted items.
        faults: the rows of those that failed, by key.
    """

    ledger: RowLedger
    items: Sequence[str]
    faults: Mapping[str, dict]

    def tables(self, rows: int = _SLICE_ROWS) -> Iterator[pa.Table]:
        """Yield tables of so many rows each: what is in memory at a time."""
        for start in range(0, len(self.items), rows):
            items = self.items[start : start + rows]
            finished = [item for item in items if item not in self.faults]
            failed = [item for item in items if item in self.faults]
            table = self.ledger.read(finished)
            if failed:
                faults = fit([self.faults[item] for item in failed], self.ledger.schema)
                places = {item: number for number, item in enumerate([*finished, *failed])}
                table = pa.concat_tables([table, faults]).take([places[item] for item in items])
            yield table

    def write(self, path: Path) -> None:
        """Write all rows as a table, to which the ledger keeps a link in place of its parts."""
        with TableWriter(path, self.ledger.schema) as writer:
            for table in self.tables():
                writer.write(table)
        self.ledger.finish(path, [item for item in self.items if item not in self.faults])

    def to_list(self) -> list[dict]:
        """Return all rows; those of failed items as they were made."""
        finished = [item for item in self.items if item not in self.faults]
        rows = iter(self.ledger.read(finished).to_pylist())
        return [self.faults[item] if item in self.faults else next(rows) for item in self.items]


class FileLedger:
    """Bytes of finished items, such as videos, until their tar is finished; then the tar itself.

    They lie in ``Segments``. The finished tar is hard-linked, so that it is not kept twice.
    """

    def __init__(self, folder: Path):
        """Open the ledger in ``LEDGER / stage / fingerprint / shard``."""
        self.folder = name_ledger(Path(folder))
        self._tar, self._index = self.folder / "finished.tar", self.folder / "finished.parquet"
        self._versions_file = self.folder / _VERSIONS
        self._versions: dict[str, str | None] = {}
        self._kept, self._finished = Segments(self.folder), Shards([], [])
        if self._versions_file.exists():
            with contextlib.suppress(UserError, json.JSONDecodeError):  # of a broken disk
                self._versions = json.loads(self._versions_file.read_text())
                self._finished = Shards([self._tar], [self._index])

    def get(self, uuid: str, version: str | None = None) -> ShardItem | None:
        """Return a finished item that was made from ``version``, or None."""
        if not self.holds(uuid, version):
            return None
        try:
            if uuid in self._kept:
                data, row = self._kept.read(uuid), self._kept.fields(uuid)
            else:
                data, row = self._finished.read(uuid), self._finished.rows[uuid]
        except UserError:  # a broken disk
            return None
        self._versions[uuid] = version
        properties = {name: row[name] for name in VideoProperties.__dataclass_fields__}
        return ShardItem(uuid, data, VideoProperties(**properties), group=row["group"])

    def holds(self, uuid: str, version: str | None = None) -> bool:
        """Return whether an item is there that was made from ``version``; its bytes are not read."""
        if uuid in self._kept:
            return self._kept.fields(uuid)["version"] == version
        return uuid in self._finished and self._versions.get(uuid) == version

    def left(self, items: Iterable[str], versions: Mapping[str, str | None]) -> list[str]:
        """Return the items that are not finished, were made from another version, or are broken."""
        return [item for item in items if self.get(item, versions.get(item)) is None]

    def keep(self, item: str, finished: ShardItem, version: str | None = None) -> None:
        """Keep a finished item, at once: it has bytes."""
        fields = asdict(finished.properties) | {"group": finished.group, "version": version}
        self._kept.add(item, finished.data, fields)
        self._versions[item] = version

    def flush(self) -> None:
        """Nothing waits."""

    def items(
        self, versions: Mapping[str, str | None], faults: Mapping[str, Rejected]
    ) -> Iterator[ShardItem]:
        """Yield an item for each UUID, sorted: as it is kept, or with the reason why it is not.

        Args:
            versions: the wanted items: UUID -> what each is made from.
            faults: UUID -> why an item was not finished.
        """
        for uuid in sorted(versions):
            item = None if uuid in faults else self.get(uuid, versions[uuid])
            fault = faults.get(uuid, Rejected("broken_copy"))
            yield item or ShardItem(uuid, reason=fault.reason)

    def finish(self, tar: Path, index: Path) -> None:
        """Link the finished tar and index into the ledger, in place of what was kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._versions_file.unlink(missing_ok=True)
        for source, target in ((tar, self._tar), (index, self._index)):
            _link(source, target)
        write_atomically(self._versions_file, json.dumps(self._versions).encode())
        self._kept.drop()


class JobLedger:
    """The result of a whole job, such as a training run, recalled when it runs again unchanged."""

    def __init__(self, folder: Path):
        """Open the ledger in ``LEDGER / stage / fingerprint / name``."""
        self._folder = name_ledger(Path(folder))

    def recall(self, outputs: Mapping[str, Path]) -> bool:
        """Put all outputs in place if an earlier run left them; return whether it did."""
        complete = self._folder / "complete"
        if not all(path.exists() for path in (complete, *map(self._folder.joinpath, outputs))):
            return False
        for name, path in outputs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy(self._folder / name, path)
        return True

    @property
    def notes(self) -> dict[str, str]:
        """What was noted of the finished job."""
        return json.loads((self._folder / "complete").read_bytes() or b"{}")

    def remember(
        self, outputs: Mapping[str, Path], notes: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Keep the outputs of a finished job, and notes; the state of the unfinished one goes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, path in outputs.items():
            _copy(path, self._folder / name)
        write_atomically(self._folder / "complete", json.dumps(dict(notes)).encode())
        self.checkpoint.unlink(missing_ok=True)

    @property
    def checkpoint(self) -> Path:
        """Where an unfinished job may keep the state from which it resumes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / "checkpoint"


def write_atomically(path: Path, data: bytes) -> None:
    """Put a small file in place whole, or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="tmp-")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(name, path)


def _copy(source: Path, target: Path, copy: Callable = shutil.copyfile) -> None:
    temporary = target.with_name(f"tmp-{os.getpid()}-{target.name}")
    temporary.unlink(missing_ok=True)
    copy(source, temporary)
    os.replace(temporary, target)


def _link(source: Path, target: Path) -> None:
    try:
        _copy(source, target, os.link)
    except OSError:  # another file system, or one without hard links
        _copy(source, target)
