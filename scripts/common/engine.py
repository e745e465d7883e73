"""The engine: all work per item goes through here.

Wanted items, each with the version of what it is made from -> those that are not finished -> read
ahead by threads -> batches -> finished rows in a ledger, and a reason for every other item. Several
backends can work on one reading of the items: a video is decoded once for all of them.

An item's fault is that item's: a batch that fails is tried one by one, the reason is kept and the
others are done. A fault of the machine is raised, for the next run to go on: memory that does not
suffice for a single item, a card or a disk that fails, many failures one after the other, and
failures and nothing else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.common.code import code_checksum
from scripts.common.errors import Rejected, UserError
from scripts.common.faults import (
    Failures,
    failed_before,
    first_line,
    free_memory,
    is_of_the_machine,
    is_out_of_memory,
    note_failed,
)
from scripts.common.fingerprints import fingerprint
from scripts.common.ledger import FinishedRows, Ledger
from scripts.common.prefetch import work_ahead
from scripts.common.progress import progress
from scripts.common.provenance import count_items
from scripts.common.weight_files import entry_content

_NOTED = 5


def ledger_key(script: str, entry: Mapping[str, Any] | None = None, **settings: Any) -> str:
    """Return the name of all that decides a row, but for the item itself.

    That is the backend and its settings; the content of its weights; what the script, the backend
    and all that they import do, less the declared plumbing (``scripts.common.code.PLUMBING``).

    Args:
        script: path of the rule's script, from the workflow's folder.
        entry: ``backend``, and perhaps ``weights`` and ``settings``, of a sheet.
        settings: what else decides, JSON-like.
    """
    entry = entry or {}
    backends = [entry["backend"]] if "backend" in entry else []
    return fingerprint(
        backend=entry.get("backend"),
        entry_settings=entry.get("settings") or {},
        weights=entry_content(entry),
        code=code_checksum(script, *backends, plumbing=False),
        **settings,
    )


@dataclass
class Task:
    """One backend's work on items, and where it is kept.

    Attributes:
        name: how notes and errors call it.
        items: the wanted items: key -> version (checksum) of what each is made from; None where
            its key decides that.
        ledger: has what is finished.
        load: makes the backend; called once, if there is anything left.
        work: takes the backend and a batch of prepared items, and returns for each, in order, its
            value, or ``Rejected`` if it has none.
        finish: makes what the ledger keeps from key and value, such as a row, or ``Rejected``.
        prepare: takes the backend and an item as it was read; runs in the reading threads.
        batch_size: items in a call of ``work``; it changes no value.
        failure: reason of an item on which the backend raises an error of its own.
        faults: key -> why an item was not finished; one that is known beforehand is not tried.
        notes: what a reader of the log should know.
        done: items that were finished in this run.
        recalled: items that an earlier run had finished.
    """

    name: str
    items: Mapping[str, str | None]
    ledger: Ledger
    load: Callable[[], Any]
    work: Callable[[Any, Sequence[Any]], Iterable[Any]]
    finish: Callable[[str, Any], Any]
    prepare: Callable[[Any, Any], Any] = lambda backend, item: item
    batch_size: int = 1
    failure: str = "failed"
    faults: dict[str, Rejected] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    recalled: int = 0
    _is_new: bool = True
    _backend: Any = None
    _batch: list[tuple[str, Any]] = field(default_factory=list)
    _failures: Failures = field(init=False)

    def start(self) -> set[str]:
        """Load the backend if anything is left, and return what is."""
        tried = [key for key in self.items if key not in self.faults]
        left = self.ledger.left(tried, self.items)
        self.recalled = len(tried) - len(left)
        self._is_new = not self.recalled
        known = failed_before(self.ledger.folder, {key: self.items[key] for key in left})
        self._failures = Failures(self.name, known)
        if left:
            self._backend = self.load()
        return set(left)

    def prepared(self, item: Any) -> Any:
        """Return an item as the backend takes it, or why it cannot; runs in threads."""
        try:
            return item if isinstance(item, Exception) else self.prepare(self._backend, item)
        except Exception as error:  # sorted out where the results are: in the main thread
            return error

    def add(self, key: str, item: Any) -> None:
        """Put an item into the batch, which is worked on when it is full."""
        if isinstance(item, Exception):
            self.close(key, item)
        else:
            self._batch.append((key, item))
            if len(self._batch) >= self.batch_size:
                self.flush()

    def flush(self) -> None:
        """Work on what is in the batch."""
        batch, self._batch = self._batch, []
        values = self._values([item for _, item in batch]) if batch else ()
        for (key, _), value in zip(batch, values, strict=True):
            self.close(key, value)

    def close(self, key: str, value: Any) -> None:
        """Keep an item's value, or the reason why there is none.

        Args:
            key: of the item.
            value: from the backend; ``Rejected``, or an error of the backend's own.

        Raises:
            Exception: a value that is an error for which the machine is to blame.
        """
        if not isinstance(value, Exception):
            try:
                value = self.finish(key, value)
            except Exception as error:
                value = error
        if isinstance(value, Rejected):
            self.faults[key] = value
        elif isinstance(value, Exception):
            self._failures.add(key, value)
            self.faults[key] = Rejected(self.failure)
            if len(self.notes) < _NOTED:
                self.notes.append(f"{key}: {self.failure}: {first_line(value)}")
        else:
            self._failures.end_row()
            self.done += 1
            self.ledger.keep(key, value, self.items[key])

    def end(self) -> None:
        """Finish the last batch.

        Raises:
            UserError: nothing was ever finished, and all that was tried failed: the fault is then not
                in the items.
        """
        self.flush()
        if self._is_new and not self.done:
            self._failures.refuse(2)
        note_failed(self.ledger.folder, {key: self.items[key] for key in self._failures.keys})

    def rows(self, reject: Callable[[str, str], dict]) -> FinishedRows:
        """Return the rows of all wanted items, in their order; of a ``RowLedger`` only.

        Args:
            reject: makes the row of an item that was not finished, from key and reason.
        """
        faults = {key: reject(key, fault.reason) for key, fault in self.faults.items()}
        self.ledger.flush()
        return FinishedRows(self.ledger, list(self.items), faults)

    def _values(self, items: Sequence[Any]) -> Iterator[Any]:
        try:
            values = list(self.work(self._backend, items))
        except Exception as error:
            if is_of_the_machine(error):
                raise
            if len(items) == 1:
                yield error
                return
            size = len(items) // 2 if is_out_of_memory(error) else 1
        else:
            if len(values) != len(items):
                raise UserError(
                    f"{self.name}: the backend gave {len(values)} values for {len(items)} items; "
                    "it must give one for each, in order"
                )
            yield from values
            return
        free_memory()  # outside of the handler, whose traceback would hold on to it
        for start in range(0, len(items), size):
            yield from self._values(items[start : start + size])


def run(
    tasks: Sequence[Task],
    read: Callable[[str], Any],
    *,
    what: str,
    workers: int = 1,
    order: Sequence[str] | None = None,
) -> None:
    """Finish what is left of some tasks, reading each item once for all of them.

    Args:
        tasks: of which each takes the items that it wants and has not finished.
        read: returns an item by its key; raises ``Rejected`` if it cannot be read. It runs in
            threads, and any other error counts as the backends' own would.
        what: name of the progress bar.
        workers: reading threads.
        order: of items, such as that in which they lie in a file; by default the tasks'.

    Raises:
        UserError: a backend's, or there is a fault that is not the items'.
    """
    left = {task.name: task.start() for task in tasks}
    wanted = dict.fromkeys([*(order or ()), *(key for task in tasks for key in task.items)])
    keys = [key for key in wanted if any(key in some for some in left.values())]

    def load(key: str) -> tuple[str, list[tuple[Task, Any]]]:
        try:
            item = read(key)
        except Exception as fault:  # sorted out where the results are: in the main thread
            item = fault
        return key, [(task, task.prepared(item)) for task in tasks if key in left[task.name]]

    ahead = max(workers, *(2 * task.batch_size for task in tasks)) if tasks else 1
    try:
        items = work_ahead(load, keys, workers=workers, ahead=ahead)
        for key, prepared in progress(items, what, total=len(keys)):
            for task, item in prepared:
                task.add(key, item)
        for task in tasks:
            task.end()
    finally:
        for task in tasks:
            task.ledger.flush()
            count_items(task.done, task.recalled)
