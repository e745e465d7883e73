"""Describe every picture of a shard of a set by a tracer."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scripts.common.backends import find_backend, load_backend
from scripts.common.code import code_checksum
from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import fingerprint, sha256_of
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.roles import Tracer
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.trace import FINISHED_FEATURES, features_schema
from scripts.common.tables import TableWriter
from scripts.common.weight_files import weights_file
from scripts.trace.picture_files import PictureFile, find_images, find_queries

ROWS_PER_WRITE = 16_384


def extract_features(
    features: Path,
    *,
    entry: Mapping[str, Any],
    images: Path | None = None,
    frames: Sequence[Path] = (),
    frame_indexes: Sequence[Path] = (),
    batch_size: int,
    shard: int = 0,
    shards: int = 1,
    precision: str = "float32",
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Describe the pictures of one shard of a set, queries or references (Section 5.4), by a tracer.

    Pictures are read in the order in which they lie in the tars, the next batch while the tracer
    describes the one before. One that cannot be read or described is a row with a reason and no
    embedding. Memory: the shard's embeddings in float16, and the pictures of two batches.

    Args:
        features: the table to write (``features_schema``): unit vectors in float16, which moves
            a cosine by less than 0.001.
        entry: the tracer's entry of config/tracers.yaml.
        images: ``TRACE_IMAGES`` manifest of a set of pictures; or else
        frames: tars of a generator's decoded frames, of which the queries are described, and
        frame_indexes: the ``FRAME_INDEX`` beside each tar.
        batch_size: pictures per call of the tracer.
        shard: which range of the pictures' UUIDs.
        shards: number of ranges.
        precision: ``float32`` or ``bfloat16``, of networks whose entry does not say.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: that read pictures, and of the tracer on the CPU.
        ledger_root: where finished rows outlive the job.

    Returns:
        Counts of pictures.

    Raises:
        UserError: the tracer's weights are missing or do not fit its entry.
    """
    if images:
        files = find_images(images, shard, shards)
    else:
        files = find_queries(frames, frame_indexes, shard, shards)
    by_uuid = {file.uuid: file for file in files}
    versions = {file.uuid: file.sha256 for file in files}
    order = [file.uuid for file in sorted(files, key=lambda file: (file.tar, file.offset))]
    entry = _with_precision(entry, precision)
    name = images.stem if images else frames[0].parent.name
    place = ledger_root / "trace" / _fingerprint(entry) / f"{name}-{shard}-of-{shards}"
    with (
        RowLedger(place, FINISHED_FEATURES) as ledger,
        ThreadPoolExecutor(threads) as pool,
    ):
        left = ledger.left(order, versions)
        tracer = _load(entry, device, threads) if left else None
        reader = _ReadAhead([by_uuid[uuid] for uuid in left], tracer, pool, 2 * batch_size)
        rows = ledger.complete(
            order,
            lambda uuids: _describe([by_uuid[uuid] for uuid in uuids], tracer, reader),
            batch_size=batch_size,
            what=f"features {name}",
            versions=versions,
        )
    rows.sort(key=lambda row: row["uuid"])
    described = next((row["embedding"] for row in rows if row["status"] == OK), None)
    dimension = len(described) // 2 if described else _dimension(entry, tracer, device, threads)
    schema = features_schema(dimension)
    with TableWriter(features, schema) as writer:
        for start in range(0, len(rows), ROWS_PER_WRITE):
            writer.write(_to_table(rows[start : start + ROWS_PER_WRITE], schema, dimension))
    return Counts.of_statuses({row["uuid"]: row["reason"] for row in rows})


class _ReadAhead:
    """Reads and prepares pictures in threads, a bounded number ahead of the tracer."""

    def __init__(
        self,
        files: Sequence[PictureFile],
        tracer: Tracer | None,
        pool: ThreadPoolExecutor,
        ahead: int,
    ):
        """Take the pictures in the order in which they will be asked for."""
        self._prepare = getattr(tracer, "prepare", lambda picture: picture)
        self._files, self._pool, self._ahead = iter(files), pool, ahead
        self._started: dict[str, Future] = {}

    def __call__(self, file: PictureFile) -> Any:
        """Return a picture as the tracer takes it, or the reason why there is none."""
        for later in islice(self._files, self._ahead - len(self._started)):
            self._started[later.uuid] = self._pool.submit(self._read, later)
        return self._started.pop(file.uuid).result()

    def _read(self, file: PictureFile) -> Any:
        try:
            picture = file.read()
        except Rejected as error:
            return error.reason
        try:
            return self._prepare(picture)
        except Exception:
            return "embedding_failed"


def _with_precision(entry: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """Return an entry with the precision of its forward passes, if its class has any."""
    settings = entry.get("settings") or {}
    if "precision" in inspect.signature(find_backend(entry)).parameters:
        settings = {"precision": precision} | settings
    return dict(entry) | {"settings": settings}


def _load(entry: Mapping[str, Any], device: str, threads: int) -> Tracer:
    tracer = load_backend(entry, device=device)
    if entry.get("weights"):  # a procedure needs no torch, and importing it takes seconds
        from scripts.models.devices import prepare_torch

        prepare_torch(threads)
    return tracer


def _dimension(entry: Mapping[str, Any], tracer: Tracer | None, device: str, threads: int) -> int:
    """Return the dimension of a tracer that described nothing."""
    known = (entry.get("settings") or {}).get("dimension")
    return known or (tracer or _load(entry, device, threads)).dimension


def _fingerprint(entry: Mapping[str, Any]) -> str:
    """Name what decides a feature: backend and its code, settings, weights by content."""
    weights = entry.get("weights") or {}
    path = weights.get("path")
    if "hub" in weights:  # a revision may be a branch, which moves
        path = weights_file(weights, "model.safetensors")
    return fingerprint(
        backend=entry["backend"],
        settings=entry.get("settings"),
        weights=sha256_of(Path(path)) if path and Path(path).is_file() else entry.get("weights"),
        code=code_checksum("scripts/trace/extract_features.py", entry["backend"], plumbing=False),
    )


def _describe(
    files: Sequence[PictureFile], tracer: Tracer, read: Callable[[PictureFile], Any]
) -> list[dict]:
    rows = [
        {"uuid": file.uuid, "role": file.role, "status": REJECTED, "reason": None}
        | {"embedding": None}
        for file in files
    ]
    pictures = []
    for row, picture in zip(rows, map(read, files), strict=True):
        if isinstance(picture, str):
            row["reason"] = picture
        else:
            pictures.append((row, picture))
    if pictures:
        vectors = _embed([picture for _, picture in pictures], tracer)
        for (row, _), vector in zip(pictures, vectors, strict=True):
            if vector is None:
                row["reason"] = "embedding_failed"
            elif len(vector) != tracer.dimension:
                raise UserError(
                    f"tracer {type(tracer).__name__} describes a picture by {len(vector)} "
                    f"numbers, not by {tracer.dimension} as it says; correct its class or entry"
                )
            elif not np.isfinite(vector).all():
                row["reason"] = "not_a_number"
            else:
                row |= {"status": OK, "embedding": vector.astype("<f2").tobytes()}
    return rows


def _embed(pictures: Sequence[Any], tracer: Tracer) -> list[np.ndarray | None]:
    """Return a vector for each picture; None where the tracer fails on that one alone."""
    embed = getattr(tracer, "embed_prepared", tracer.embed)
    try:
        return list(embed(pictures))
    except UserError:
        raise
    except Exception as error:
        vectors, failures = [], []
        for picture in pictures:
            try:
                vectors.append(embed([picture])[0])
            except Exception as single:
                vectors.append(None)
                failures.append(single)
        if len(failures) == len(pictures):  # not the pictures are at fault
            raise error
        return vectors


def _to_table(rows: Sequence[dict], schema: pa.Schema, dimension: int) -> pa.Table:
    kind = schema.field("embedding").type
    vectors = np.zeros((len(rows), dimension), np.float16)
    missing = np.ones(len(rows), bool)
    for number, row in enumerate(rows):
        if row["embedding"] is not None:
            vectors[number] = np.frombuffer(row["embedding"], "<f2")
            missing[number] = False
    embeddings = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.ravel()), type=kind, mask=pa.array(missing)
    )
    columns = {
        name: pa.array([row[name] for row in rows], schema.field(name).type)
        for name in schema.names
        if name != "embedding"
    }
    return pa.table(columns | {"embedding": embeddings}).select(schema.names)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = extract_features(
            features=Path(snakemake.output.features),
            entry=snakemake.params.entry,
            images=Path(path) if (path := snakemake.input.get("images")) else None,
            frames=[Path(path) for path in snakemake.input.get("frames", [])],
            frame_indexes=[Path(path) for path in snakemake.input.get("frame_indexes", [])],
            batch_size=snakemake.params.batch_size,
            shard=int(snakemake.wildcards.shard),
            shards=snakemake.params.shards,
            precision=snakemake.params.precision,
            threads=snakemake.threads,
        )
        log.finish(counts)
