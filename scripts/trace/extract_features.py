"""Describe every picture of some sets, queries or a shard of the references, by tracers."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import find_backend, load_backend
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected, UserError
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.roles import Preparing, Tracer
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.trace import features_schema
from scripts.trace.feature_tables import by_model_and_set
from scripts.trace.picture_files import PictureFile, find_pictures

SCRIPT = "scripts/trace/extract_features.py"


def extract_features(
    features: Sequence[Path],
    *,
    entries: Mapping[str, Mapping[str, Any]],
    pictures: Mapping[str, Mapping[str, Any]],
    batch_size: int,
    shards: int = 1,
    precision: str = "float32",
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Describe the pictures of some sets, queries or references (Section 5.4), by some models.

    A picture is read, and reduced to each input size, once for all models, in the order in which
    pictures lie in the tars, the next ones while the models work. One that cannot be read or described is a row with a reason and no
    embedding. A row is kept under the checksum of its picture, so that a picture that is new or
    was made anew is described, and no other; the finished tables are the ledger, too.

    Args:
        features: the tables to write (``features_schema``), ``<model>/<set>/<shard>.parquet`` of
            one shard: unit vectors in float16, which moves a cosine by less than 0.001.
        entries: model -> its backend, weights and settings.
        pictures: set -> where its pictures lie (``find_pictures``).
        batch_size: pictures per call of a tracer.
        shards: number of ranges of the pictures' UUIDs, of which a shard is one.
        precision: of ``scripts.models.devices.PRECISIONS``, for networks whose entry does not say.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: that read pictures, and of the tracers on the CPU.
        ledger_root: where finished rows outlive the job.

    Returns:
        Counts of pictures over all sets and models.

    Raises:
        UserError: a tracer's weights are missing or do not fit its entry, or it always fails.
    """
    models = {name: _Model(entry, precision, device, threads) for name, entry in entries.items()}
    tables_of: dict[str, dict[str, Path]] = {}
    for (model, name), [path] in by_model_and_set(features).items():
        tables_of.setdefault(name, {})[model] = path
    keys = [model.key for model in models.values()]
    twins = {name: f"-{name}" for name, model in models.items() if keys.count(model.key) > 1}
    counts, shard = Counts(), int(features[0].stem)
    for name, tables in tables_of.items():
        files = {file.uuid: file for file in find_pictures(pictures[name], shard, shards)}
        part = f"{name}-{shard}-of-{shards}"
        tasks = {
            model: models[model].task(
                model,
                files,
                batch_size=batch_size,
                # Two entries that are equal but for their names: each keeps its own rows.
                folder=ledger_root / "trace" / models[model].key / f"{part}{twins.get(model, '')}",
            )
            for model in tables
        }
        run(
            list(tasks.values()),
            lambda uuid, files=files: (files[uuid].read(), {}),
            what=f"features {name}",
            workers=threads,
            order=sorted(files, key=lambda uuid: (files[uuid].tar, files[uuid].offset or 0)),
        )
        for model, task in tasks.items():
            task.rows(
                lambda uuid, reason, files=files: {
                    **{"uuid": uuid, "role": files[uuid].role, "status": REJECTED},
                    **{"reason": reason, "embedding": None},
                }
            ).write(tables[model])
            reasons = dict.fromkeys(files) | {u: fault.reason for u, fault in task.faults.items()}
            counts += Counts.of_statuses(reasons)
            counts.notes += [f"{model}, {name}: {note}" for note in task.notes]
    return counts


class _Model:
    """A tracer that is loaded when the first picture is to be described, once for all sets."""

    def __init__(self, entry: Mapping[str, Any], precision: str, device: str, threads: int):
        settings = entry.get("settings") or {}
        if hasattr(find_backend(entry), "precision"):
            settings = {"precision": precision} | settings
        self.entry = {**entry, "settings": settings}
        self.key = ledger_key(SCRIPT, self.entry)
        self.load: Callable[[], Tracer] = cache(lambda: _load(self.entry, device, threads))

    @property
    def dimension(self) -> int:
        """Numbers that describe a picture: as the entry or the class says, else the tracer."""
        known = self.entry["settings"].get("dimension")
        return known or getattr(find_backend(self.entry), "dimension", 0) or self.load().dimension

    def task(
        self, name: str, files: Mapping[str, PictureFile], *, batch_size: int, folder: Path
    ) -> Task:
        """Return what the tracer does on one set."""

        def finish(uuid: str, vector: np.ndarray) -> dict | Rejected:
            if len(vector) != self.dimension:
                raise UserError(
                    f"tracer {type(self.load()).__name__} describes a picture by {len(vector)} "
                    f"numbers, not by {self.dimension} as it says; correct its class or entry"
                )
            if not np.isfinite(vector).all():
                return Rejected("not_a_number")
            row = {"role": files[uuid].role, "status": OK, "reason": None}
            return row | {"embedding": vector.astype(np.float16)}

        return Task(
            name=name,
            items={uuid: file.sha256 for uuid, file in files.items()},
            ledger=RowLedger(folder, features_schema(self.dimension)),
            load=self.load,
            prepare=_prepare,
            work=_embed,
            finish=finish,
            batch_size=batch_size,
            failure="embedding_failed",
        )


def _load(entry: Mapping[str, Any], device: str, threads: int) -> Tracer:
    tracer = load_backend(entry, device=device)
    if entry.get("weights"):  # a procedure needs no torch, and importing it takes seconds
        from scripts.models.devices import prepare_torch

        prepare_torch(threads)
    return tracer


def _prepare(tracer: Tracer, read: tuple[np.ndarray, dict]) -> Any:
    """Return a picture as the tracer takes it; what several take of it is made once."""
    picture, squares = read
    return tracer.prepare(picture, squares) if isinstance(tracer, Preparing) else picture


def _embed(tracer: Tracer, pictures: Sequence[Any]) -> np.ndarray:
    embed = tracer.embed_prepared if isinstance(tracer, Preparing) else tracer.embed
    return embed(pictures)


if __name__ == "__main__":
    run_job(extract_features, snakemake)
