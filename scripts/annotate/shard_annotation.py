"""One annotator over one shard: which prompts are wanted, and how each gets its row."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from scripts.annotate.token_costs import Account
from scripts.common.backends import load_backend
from scripts.common.code import code_checksum
from scripts.common.errors import Rejected
from scripts.common.fingerprints import fingerprint
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.pictures import decode_picture
from scripts.common.prefetch import work_ahead
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.shards import Shard
from scripts.common.tables import TableWriter, read_table

Keep = Callable[[], None]


@dataclass(frozen=True)
class TextShard:
    """The text prompts of one shard and where their annotation goes.

    Attributes:
        prompts: table of ``PROMPTS``; a prompt is wanted if it has an image.
        index: index of the images (``ITEM_INDEX``).
        output: the table to write.
    """

    prompts: Path
    index: Path
    output: Path


@dataclass(frozen=True)
class PictureShard:
    """The image prompts of one shard and where their annotation goes.

    Attributes:
        tar: the images.
        index: beside it (``ITEM_INDEX``).
        output: the table to write.
    """

    tar: Path
    index: Path
    output: Path


@dataclass(frozen=True)
class Annotator:
    """An entry of config/annotators.yaml at work.

    Attributes:
        entry: ``name``, ``backend``, ``weights`` and ``settings``.
        batch_size: items per call of the backend; it changes no result.
        device: ``cpu``, ``cuda`` or ``auto``.
        workers: threads that read and prepare pictures while the model works.
        service: how a backend behind an endpoint is reached and what it costs; it decides no row.
        budget_usd: what the annotation may cost in all shards and runs together.
        ledger_root: where finished rows are kept.
        script: of the rule, whose imports decide what is made.
    """

    entry: Mapping[str, Any]
    batch_size: int
    device: str = "cpu"
    workers: int = 1
    service: Mapping[str, Any] | None = None
    budget_usd: float | None = None
    ledger_root: Path = LEDGER
    script: str = "scripts/annotate/shard_annotation.py"

    @property
    def is_remote(self) -> bool:
        """Whether the model lies behind an endpoint, and costs money."""
        return "api" in (self.entry.get("weights") or {})

    def annotate_texts(
        self,
        shard: TextShard,
        schema: Callable[[Any], pa.Schema] | pa.Schema,
        describe: Callable[[Any, Sequence[str]], Iterable[Any]],
        row_of: Callable[[Any], dict],
    ) -> Counts:
        """Write a row for each prompt that has an image.

        Args:
            shard: the prompts.
            schema: of the output, or what makes it from the backend.
            describe: makes the values of a batch of texts by the backend, in order.
            row_of: makes a row's columns from a value.

        Returns:
            Counts of prompts.
        """
        texts = read_texts(shard.prompts, shard.index)
        work = AnnotatorAtWork(self, shard.output.parent.name, shard.output.stem)

        def values(left: Sequence[str], keep: Keep) -> Iterator[tuple[str, Any]]:
            return work.answer({uuid: texts[uuid] for uuid in left}, describe, keep)

        return work.write(list(texts), shard.output, schema, values, row_of)

    def annotate_pictures(
        self,
        shard: PictureShard,
        schema: Callable[[Any], pa.Schema] | pa.Schema,
        describe: Callable[[Any, Sequence[Any]], Iterable[Any]],
        row_of: Callable[[Any], dict],
    ) -> Counts:
        """Write a row for each image; one that cannot be decoded is rejected.

        While the model works on a batch, threads read, decode and prepare the next ones.

        Args:
            shard: the pictures.
            schema: as ``annotate_texts``.
            describe: makes the values of a batch of pictures, which the backend's ``prepare`` has
                prepared if it has one (else uint8 RGB), in order.
            row_of: as ``annotate_texts``.

        Returns:
            Counts of images.
        """
        images = Shard(shard.tar, shard.index)
        work = AnnotatorAtWork(self, shard.output.parent.name, shard.output.stem)

        def values(left: Sequence[str], keep: Keep) -> Iterator[tuple[str, Any]]:
            prepare = getattr(work.backend, "prepare", lambda picture: picture)

            def read(uuid: str) -> tuple[str, Any]:
                try:
                    return uuid, prepare(decode_picture(images.read(uuid)))
                except Rejected as error:
                    return uuid, Rejected(error.reason)

            # One batch in work, one that waits for it.
            pictures = work_ahead(read, left, workers=self.workers, ahead=2 * self.batch_size)
            for batch in _batches(pictures, self.batch_size):
                yield from ((uuid, found) for uuid, found in batch if isinstance(found, Rejected))
                good = [pair for pair in batch if not isinstance(pair[1], Rejected)]
                if good:
                    uuids, prepared = zip(*good, strict=True)
                    yield from zip(uuids, describe(work.backend, list(prepared)), strict=True)

        versions = {uuid: images.rows[uuid]["sha256"] for uuid in images.uuids}
        return work.write(images.uuids, shard.output, schema, values, row_of, versions=versions)


class AnnotatorAtWork:
    """An annotator with its ledger for one table.

    Attributes:
        folder: the ledger's.
    """

    def __init__(self, annotator: Annotator, annotation: str, part: str):
        """Prepare; nothing is loaded.

        Args:
            annotator: the entry and its settings.
            annotation: what it makes, such as ``text_nsfw``: whose budget is kept.
            part: of the annotation, such as the shard.
        """
        self._annotator, self._annotation = annotator, annotation
        self._name = f"{annotation}-{part}"
        code = _code_of(annotator)
        self._key = fingerprint(entry=annotator.entry, code=code)
        self.folder = annotator.ledger_root / "annotate" / self._key / self._name

    @cached_property
    def backend(self) -> Any:
        """The backend, loaded when first needed: a shard that is finished needs none."""
        annotator = self._annotator
        if not annotator.is_remote:
            return load_backend(annotator.entry, device=annotator.device)
        spending = annotator.ledger_root / "annotate" / "spending" / self._annotation
        return load_backend(
            annotator.entry,
            service=annotator.service,
            folder=self.folder / "batches",
            account=Account(spending, f"{self._name}-{self._key}", annotator.budget_usd),
        )

    def answer(
        self,
        texts: Mapping[str, str],
        describe: Callable[[Any, Sequence[str]], Iterable[Any]],
        keep: Keep,
    ) -> Iterator[tuple[str, Any]]:
        """Yield each text's value: as the endpoint answers, or batch by batch.

        Args:
            texts: by the item's key.
            describe: as ``Annotator.annotate_texts``.
            keep: puts on disk what was yielded; called before a batch that was paid for is
                forgotten.
        """
        if self._annotator.is_remote:
            yield from self.backend.answer(texts, keep)
            return
        for batch in _batches(texts.items(), self._annotator.batch_size):
            keys, values = zip(*batch, strict=True)
            yield from zip(keys, describe(self.backend, list(values)), strict=True)

    def write(
        self,
        uuids: Sequence[str],
        output: Path,
        schema: Callable[[Any], pa.Schema] | pa.Schema,
        values: Callable[[Sequence[str], Keep], Iterator[tuple[str, Any]]],
        row_of: Callable[[Any], dict],
        *,
        versions: Mapping[str, str] | None = None,
    ) -> Counts:
        """Write the rows of all ``uuids``, recalled or made, a slice at a time."""
        if not isinstance(schema, pa.Schema):
            schema = schema(self.backend)
        reasons: Counter[str | None] = Counter()
        with RowLedger(self.folder, schema) as ledger:

            def work(left: Sequence[str]) -> Iterator[dict]:
                for uuid, value in values(left, ledger.flush):
                    yield self._row(uuid, value, row_of)

            rows = ledger.stream(uuids, work, what=self._name, versions=versions)
            with TableWriter(output, schema) as table:
                for part in rows.tables():
                    table.write(part)
                    reasons.update(part["reason"].to_pylist())
        counts = Counts(kept=reasons.pop(None, 0), declared=len(uuids))
        for reason, number in reasons.items():
            counts.reject(reason, number)
        return counts

    def _row(self, uuid: str, value: Any, row_of: Callable[[Any], dict]) -> dict:
        name = self._annotator.entry["name"]
        row = {"uuid": uuid, "status": OK, "reason": None, "backend": name}
        if isinstance(value, Rejected):
            return row | {"status": REJECTED, "reason": value.reason}
        return row | row_of(value)


def read_texts(prompts: Path, index: Path) -> dict[str, str]:
    """Return the prompts of a shard that have an image, by UUID, sorted.

    Args:
        prompts: table of ``PROMPTS``.
        index: index of the images (``ITEM_INDEX``).
    """
    table = read_table(prompts, PROMPTS, columns=["uuid", "prompt"]).sort_by("uuid")
    wanted = Shard(index.with_suffix(".tar"), index)
    rows = zip(table["uuid"].to_pylist(), table["prompt"].to_pylist(), strict=True)
    return {uuid: prompt for uuid, prompt in rows if uuid in wanted}


def _code_of(annotator: Annotator) -> str:
    """Return the checksum of the code that decides a row.

    Of a model behind an endpoint, only what is asked and how an answer is read: another way of
    sending must not cost what was paid for.
    """
    backend = annotator.entry["backend"]
    if annotator.is_remote:
        module = backend.partition(":")[0].replace(".", "/")
        return code_checksum(f"{module}.py", plumbing=False)
    return code_checksum(annotator.script, backend, plumbing=False)


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
