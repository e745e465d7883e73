"""One annotator over one shard: which prompts are wanted, and how each gets its row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scripts.common.backends import load_backend
from scripts.common.fingerprints import fingerprint, hash_code
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.pictures import decode_picture
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.shards import Shard
from scripts.common.tables import read_table, write_table
from scripts.common.video import UnreadableVideo


@dataclass(frozen=True)
class Rejection:
    """What a backend returns for an item that it cannot annotate; ``reason`` is of ``REASONS``."""

    reason: str


@dataclass(frozen=True)
class ShardAnnotator:
    """An entry of config/annotators.yaml at work on one shard.

    Attributes:
        entry: ``name``, ``backend``, ``weights`` and ``settings``.
        batch_size: items per call of the backend; it changes no result.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: where finished rows are kept.
        code: modules that decide what is made.
    """

    entry: Mapping[str, Any]
    batch_size: int
    device: str = "cpu"
    ledger_root: Path = LEDGER
    code: Sequence[Path | str] = ()

    @cached_property
    def backend(self) -> Any:
        """The backend, loaded when first needed: a shard that is finished needs none."""
        return load_backend(self.entry, device=self.device)

    def annotate_texts(
        self,
        prompts: Path,
        index: Path,
        output: Path,
        schema: pa.Schema,
        describe: Callable[[Sequence[str]], list[dict | Rejection]],
    ) -> Counts:
        """Write a row for each prompt that has an image.

        Args:
            prompts: table of ``PROMPTS``.
            index: index of the images (``ITEM_INDEX``).
            output: table of ``schema``.
            schema: from ``scripts.common.schemas.annotate``.
            describe: makes the values of a batch of texts, in order.
        """
        table = read_table(prompts, PROMPTS, columns=["uuid", "prompt"])
        texts = dict(zip(table["uuid"].to_pylist(), table["prompt"].to_pylist(), strict=True))
        wanted = Shard(index.with_suffix(".tar"), index)
        uuids = [uuid for uuid in sorted(texts) if uuid in wanted]

        def work(batch: Sequence[str]) -> list[dict]:
            values = describe([texts[uuid] for uuid in batch])
            return [self._row(uuid, value) for uuid, value in zip(batch, values, strict=True)]

        return self._complete(uuids, work, output, schema, versions=None)

    def annotate_images(
        self,
        tar: Path,
        index: Path,
        output: Path,
        schema: pa.Schema,
        describe: Callable[[Sequence[np.ndarray]], list[dict | Rejection]],
    ) -> Counts:
        """Write a row for each image; one that cannot be decoded is rejected.

        Args:
            tar: tar of the images.
            index: its index (``ITEM_INDEX``).
            output: table of ``schema``.
            schema: from ``scripts.common.schemas.annotate``.
            describe: makes the values of a batch of pictures (uint8 RGB), in order.
        """
        images = Shard(tar, index)

        def work(batch: Sequence[str]) -> list[dict]:
            values: dict[str, dict | Rejection] = {}
            pictures: dict[str, np.ndarray] = {}
            for uuid in batch:
                try:
                    pictures[uuid] = decode_picture(images.read(uuid))
                except UnreadableVideo as error:
                    values[uuid] = Rejection(error.reason)
            if pictures:
                found = describe(list(pictures.values()))
                values.update(zip(pictures, found, strict=True))
            return [self._row(uuid, values[uuid]) for uuid in batch]

        versions = {uuid: images.rows[uuid]["sha256"] for uuid in images.uuids}
        return self._complete(images.uuids, work, output, schema, versions=versions)

    def _complete(
        self,
        uuids: Sequence[str],
        work: Callable[[Sequence[str]], list[dict]],
        output: Path,
        schema: pa.Schema,
        *,
        versions: Mapping[str, str] | None,
    ) -> Counts:
        key = fingerprint(entry=self.entry, code=hash_code(self.code, "annotate"))
        name = f"{output.parent.name}-{output.stem}"
        with RowLedger(self.ledger_root / "annotate" / key / name, schema) as ledger:
            rows = ledger.complete(
                uuids, work, batch_size=self.batch_size, what=name, versions=versions
            )
        write_table(rows, output, schema)
        counts = Counts.of_statuses({row["uuid"]: row["reason"] for row in rows})
        counts.declared = len(uuids)
        return counts

    def _row(self, uuid: str, value: dict | Rejection) -> dict:
        row = {"uuid": uuid, "status": OK, "reason": None, "backend": self.entry["name"]}
        if isinstance(value, Rejection):
            return row | {"status": REJECTED, "reason": value.reason}
        return row | value
