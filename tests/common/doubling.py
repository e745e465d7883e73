"""A task that doubles numbers, for tests of the engine."""

import pyarrow as pa

from scripts.common.engine import Task, run
from scripts.common.ledger import RowLedger
from scripts.common.tables import column, optional, table_schema

ROWS = table_schema(
    "rows",
    "test",
    column("uuid", pa.string(), "id"),
    optional("value", pa.float64(), "value"),
    optional("reason", pa.string(), "why there is none"),
)


KEYS = [f"{number:03d}" for number in range(60)]


class Doubling:
    """A backend that doubles numbers, does to some items what it is told, and notes all."""

    def __init__(self, **behaviour):
        self.behaviour = {f"{key[1:]}": what for key, what in behaviour.items()}
        self.asked, self.batches, self.loaded = [], [], 0

    def load(self):
        self.loaded += 1
        return self

    @staticmethod
    def work(backend, items):
        backend.batches.append(list(items))
        for item in items:
            what = backend.behaviour.get(item)
            if isinstance(what, BaseException):
                raise what
        backend.asked += items
        return [2.0 * int(item) for item in items]


def make_task(folder, backend=None, items=KEYS[:6], **settings):
    """Return a task that doubles its items, which are their own keys."""
    backend = backend or Doubling()
    return Task(
        **{
            "name": "doubling",
            "items": items if isinstance(items, dict) else dict.fromkeys(items),
            "ledger": RowLedger(folder, ROWS, flush_rows=settings.pop("flush_rows", 1000)),
            "load": backend.load,
            "work": backend.work,
            "finish": lambda key, value: {"uuid": key, "value": value, "reason": None},
        }
        | settings
    )


def finish(*tasks, read=lambda key: key, **settings):
    """Run tasks and return the rows of the last: key -> value or reason."""
    run(tasks, read, what="test", **settings)
    return rows_of(tasks[-1])


def rows_of(task):
    rows = task.rows(lambda key, reason: {"uuid": key, "value": None, "reason": reason}).to_list()
    assert [row["uuid"] for row in rows] == list(task.items)
    return {row["uuid"]: row["reason"] or row["value"] for row in rows}


def finished(folder):
    return sorted(RowLedger(folder, ROWS))
