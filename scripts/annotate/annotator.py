"""An annotator over one part of an annotation: its backend, its ledger, and the table it writes.

Nothing here decides a row. What is asked of a backend, and what becomes of its values, is in
``text_annotations`` and ``annotate_pictures``.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.annotate.token_costs import Account
from scripts.common.backends import load_backend
from scripts.common.engine import Task, ledger_key, run
from scripts.common.ledger import LEDGER, FinishedRows, RowLedger, finished_items
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import EMBEDDED, embeddings, values_of
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.tables import TableWriter

VECTORS = "vectors"
"""The output that has an annotation's embeddings, apart from the table of their statuses."""
ALL = "all"
"""The part of a job that makes all shards of an annotation."""


@dataclass(frozen=True)
class Annotation:
    """What is asked of the annotators of one role, and what becomes of a value.

    Attributes:
        work: takes the backend and a batch of items, and returns their values in order.
        columns: makes a row's columns from a value.
        schema: of the table; None for embeddings, which have a status here and their vectors in a
            table of their own.
    """

    work: Callable[[Any, Sequence[Any]], Iterable[Any]]
    columns: Callable[[Any], dict]
    schema: pa.Schema | None = None


@dataclass(frozen=True)
class Annotator:
    """An entry of config/annotators.yaml at work on one part of an annotation.

    Attributes:
        entry: ``name``, ``backend``, ``weights`` and ``settings``, and perhaps the ``question``
            that the model is asked.
        annotation: what it makes, such as ``text_nsfw``: whose budget is kept.
        part: of the annotation that a job makes: a shard, or ``ALL``.
        script: of the rule, whose imports decide what a model on this machine makes.
        device: ``cpu``, ``cuda`` or ``auto``.
        terms: of a backend behind an endpoint; they decide no row. ``service``: how it is reached
            and what it costs; ``budget_usd``: what the annotation may cost in all shards and runs.
        ledger_root: where finished rows are kept.
    """

    entry: Mapping[str, Any]
    annotation: str
    part: str = ALL
    script: str = ""
    device: str = "cpu"
    terms: Mapping[str, Any] = field(default_factory=dict)
    ledger_root: Path = LEDGER

    @property
    def is_remote(self) -> bool:
        """Whether the model lies behind an endpoint, and costs money."""
        return "api" in (self.entry.get("weights") or {})

    @cached_property
    def key(self) -> str:
        """The name of all that decides a row.

        Of a model behind an endpoint, that is what is asked and how an answer is read, under
        whatever names it lies in files: another way of sending, or a module that was renamed, must
        not cost what was paid for.
        """
        module, _, kind = self.entry["backend"].partition(":")
        if self.is_remote:
            asked = {key: self.entry[key] for key in ("weights", "settings") if key in self.entry}
            script, entry = f"{module.replace('.', '/')}.py", asked
        else:
            script, entry = self.script, self.entry
        return ledger_key(script, entry, kind=kind, question=self.entry.get("question"))

    def folder(self, part: str) -> Path:
        """Return where the finished rows of a part are kept, and the batches that are in flight."""
        return self.ledger_root / "annotate" / self.key / f"{self.annotation}-{part}"

    @cached_property
    def backend(self) -> Any:
        """The backend, loaded when first needed: a part that is finished needs none."""
        extra = {key: self.entry[key] for key in ("question",) if key in self.entry}
        if not self.is_remote:
            return load_backend(self.entry, device=self.device, **extra)
        folder = self.folder(self.part)
        spending = self.ledger_root / "annotate" / "spending" / self.annotation
        account = Account(spending, f"{folder.name}-{self.key}", self.terms.get("budget_usd"))
        extra |= {"service": self.terms.get("service"), "folder": folder / "batches"}
        return load_backend(self.entry, account=account, **extra)

    @property
    def dimension(self) -> int:
        """How many numbers its vectors have; the model is loaded only if none is finished."""
        for part in self.folder("*").parent.glob(f"{self.annotation}-*/part-*.parquet"):
            return pq.read_schema(part).field("embedding").type.list_size
        return self.backend.dimension

    def task(
        self,
        annotation: Annotation,
        items: Mapping[str, str | None],
        schema: pa.Schema | None = None,
        *,
        part: str = "",
        key: str = "uuid",
        **settings: Any,
    ) -> Task:
        """Return the work on some items.

        Args:
            annotation: what is done.
            items: the wanted items, with versions as ``Task``.
            schema: of finished rows; by default the annotation's, or that of embeddings.
            part: of the annotation; by default the annotator's.
            key: the column that names an item.
            settings: of the ``Task``.
        """
        folder = self.folder(part or self.part)
        if schema is None:
            schema = values_of(annotation.schema or embeddings(self.dimension))
        return Task(
            name=folder.name,
            items=items,
            ledger=RowLedger(folder, schema, key=key),
            load=lambda: self.backend,
            work=annotation.work,
            finish=lambda _, value: annotation.columns(value),
            failure="annotation_failed",
            **settings,
        )

    def left(self, part: str, texts: Mapping[str, str]) -> dict[str, str]:
        """Return the texts of a part that are not finished, by UUID."""
        done = finished_items(self.folder(part), "uuid")
        return {uuid: text for uuid, text in texts.items() if uuid not in done}

    def finish(self, tasks: Sequence[Task], texts: Mapping[str, str]) -> None:
        """Finish what is left of some tasks.

        Answers of an endpoint come in any order, and a batch of them is forgotten only once they
        are on disk: what was paid for is not sent again.

        Args:
            tasks: of this annotator; an item belongs to one of them.
            texts: by the item's key.
        """
        if not self.is_remote:
            run(tasks, texts.__getitem__, what=self.annotation)
            return
        owners = {item: task for task in tasks for item in task.start()}

        def keep() -> None:
            for task in tasks:
                task.ledger.flush()

        wanted = {item: text for item, text in texts.items() if item in owners}
        try:
            answers = self.backend.answer(wanted, keep) if wanted else ()
            for item, value in progress(answers, self.annotation, total=len(wanted)):
                owners[item].close(item, value)
        finally:
            keep()

    def write(self, task: Task, annotation: Annotation, outputs: Mapping[str, Path]) -> Counts:
        """Write a row for each wanted item, with what was made of it or why nothing was.

        Args:
            task: when it is done.
            annotation: as ``task``.
            outputs: annotation -> its table; ``vectors`` -> that of embeddings.

        Returns:
            Counts of items.
        """
        name, schema = self.entry["name"], annotation.schema or EMBEDDED
        reasons = {item: fault.reason for item, fault in task.faults.items()}
        if annotation.schema is None:
            done = [item for item in task.items if item not in reasons]
            with TableWriter(outputs[VECTORS], embeddings(self.dimension)) as table:
                for part in FinishedRows(task.ledger, done, {}).tables():
                    table.write(_append(part, backend=[name] * part.num_rows))
            parts = [pa.table({"uuid": pa.array(task.items, pa.string())})]
        else:
            parts = task.rows(lambda item, reason: {"uuid": item}).tables()
        with TableWriter(outputs[self.annotation], schema) as table:
            for part in parts:
                found = [reasons.get(item) for item in part["uuid"].to_pylist()]
                statuses = [OK if reason is None else REJECTED for reason in found]
                columns = {"status": statuses, "reason": found, "backend": [name] * len(found)}
                table.write(_append(part, **columns).select(schema.names))
        counts = Counts(kept=len(task.items) - len(reasons), declared=len(task.items))
        counts.rejected = Counter(reasons.values())
        counts.notes = [f"{task.name}: {note}" for note in task.notes]
        return counts


def _append(table: pa.Table, **columns: Sequence[str | None]) -> pa.Table:
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, pa.string()))
    return table
