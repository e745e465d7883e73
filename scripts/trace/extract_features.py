"""Describe every picture of a set by a tracer."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scripts.common.backends import load_backend
from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint, hash_code, sha256_of
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.roles import Tracer
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.trace import FINISHED_FEATURES, features_schema
from scripts.common.tables import TableWriter
from scripts.common.video import UnreadableVideo
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
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
    code: Sequence[Path | str] = (),
) -> Counts:
    """Describe the pictures of one set, queries or references (Section 5.4), by one tracer.

    A picture that cannot be read or described is a row with a reason and no embedding.

    Args:
        features: the table to write (``features_schema``): unit vectors in float16, which moves
            a cosine by less than 0.001.
        entry: the tracer's entry of config/tracers.yaml.
        images: ``TRACE_IMAGES`` manifest of a set of pictures; or else
        frames: tars of a generator's decoded frames, of which the queries are described, and
        frame_indexes: the ``FRAME_INDEX`` beside each tar.
        batch_size: pictures per call of the tracer.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: that read pictures, and of the tracer on the CPU.
        ledger_root: where finished rows outlive the job.
        code: the modules that decide what is written.

    Returns:
        Counts of pictures.

    Raises:
        UserError: the tracer's weights are missing or do not fit its entry.
    """
    files = find_images(images) if images else find_queries(frames, frame_indexes)
    by_uuid = {file.uuid: file for file in files}
    tracer = _Lazy(lambda: _load(entry, device, threads))
    name = images.stem if images else frames[0].parent.name
    ledger = RowLedger(ledger_root / "trace" / _fingerprint(entry, code) / name, FINISHED_FEATURES)
    with ledger:
        rows = ledger.complete(
            list(by_uuid),
            lambda uuids: _describe([by_uuid[uuid] for uuid in uuids], tracer, threads),
            batch_size=batch_size,
            what=f"features {name}",
            versions={file.uuid: file.sha256 for file in files},
        )
    described = next((row["embedding"] for row in rows if row["status"] == OK), None)
    dimension = len(described) // 2 if described else tracer().dimension
    schema = features_schema(dimension)
    with TableWriter(features, schema) as writer:
        for start in range(0, len(rows), ROWS_PER_WRITE):
            writer.write(_to_table(rows[start : start + ROWS_PER_WRITE], schema, dimension))
    return Counts.of_statuses({row["uuid"]: row["reason"] for row in rows})


class _Lazy:
    """A tracer that is loaded only if some picture is not finished."""

    def __init__(self, load: Callable[[], Tracer]):
        self._load, self._tracer = load, None

    def __call__(self) -> Tracer:
        if self._tracer is None:
            self._tracer = self._load()
        return self._tracer


def _load(entry: Mapping[str, Any], device: str, threads: int) -> Tracer:
    tracer = load_backend(entry, device=device)
    if entry.get("weights"):  # a procedure needs no torch, and importing it takes seconds
        from scripts.common.devices import prepare_torch

        prepare_torch(threads)
    return tracer


def _fingerprint(entry: Mapping[str, Any], code: Sequence[Path | str]) -> str:
    """Name what decides a feature: backend and its code, settings, weights by content if local."""
    module = entry["backend"].partition(":")[0].rpartition(".")[2]
    path = (entry.get("weights") or {}).get("path")
    return fingerprint(
        backend=entry["backend"],
        settings=entry.get("settings"),
        weights=sha256_of(Path(path)) if path and Path(path).is_file() else entry.get("weights"),
        code=hash_code(
            path for path in code if Path(path).parent.name == "trace" or Path(path).stem == module
        ),
    )


def _describe(
    files: Sequence[PictureFile], tracer: Callable[[], Tracer], threads: int
) -> list[dict]:
    rows = [
        {"uuid": file.uuid, "role": file.role, "status": REJECTED, "reason": None}
        | {"embedding": None}
        for file in files
    ]
    with ThreadPoolExecutor(threads) as pool:
        read = list(pool.map(_read, files))
    pictures = []
    for row, picture in zip(rows, read, strict=True):
        if isinstance(picture, str):
            row["reason"] = picture
        else:
            pictures.append((row, picture))
    if pictures:
        vectors = _embed([picture for _, picture in pictures], tracer())
        for (row, _), vector in zip(pictures, vectors, strict=True):
            if vector is None:
                row["reason"] = "embedding_failed"
            elif not np.isfinite(vector).all():
                row["reason"] = "not_a_number"
            else:
                row |= {"status": OK, "embedding": vector.astype("<f2").tobytes()}
    return rows


def _read(file: PictureFile) -> np.ndarray | str:
    """Return a picture, or the reason why there is none."""
    try:
        return file.read()
    except UnreadableVideo as error:
        return error.reason


def _embed(images: Sequence[np.ndarray], tracer: Tracer) -> list[np.ndarray | None]:
    """Return a vector for each picture; None where the tracer fails on that one alone."""
    try:
        return list(tracer.embed(images))
    except UserError:
        raise
    except Exception as error:
        vectors, failures = [], []
        for image in images:
            try:
                vectors.append(tracer.embed([image])[0])
            except Exception as single:
                vectors.append(None)
                failures.append(single)
        if len(failures) == len(images):  # not the pictures are at fault
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
            threads=snakemake.threads,
            code=snakemake.input.code,
        )
        log.finish(counts)
