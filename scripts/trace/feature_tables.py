"""Features as they are searched: read in blocks, in float32, of length 1."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.errors import UserError
from scripts.common.schemas.items import OK
from scripts.common.schemas.trace import features_schema
from scripts.common.tables import open_table, read_table

_ROWS_PER_READ = 8_192


def by_model_and_set(paths: Iterable[str | Path]) -> dict[tuple[str, str], list[Path]]:
    """Return (model, set) -> shards, from paths ending in ``<model>/<set>/<shard>.parquet``."""
    found: dict[tuple[str, str], list[Path]] = {}
    for path in map(Path, paths):
        found.setdefault((path.parent.parent.name, path.parent.name), []).append(path)
    return found


def read_pictures(paths: Sequence[Path]) -> pa.Table:
    """Return uuid, role, status and reason of a set's pictures, without their embeddings.

    Args:
        paths: the set's shards, in order.
    """
    names = ["uuid", "role", "status", "reason"]
    return read_table(paths, features_schema(1), names)


def dimension_of(paths: Sequence[Path]) -> int:
    """Return how many numbers describe each picture.

    Raises:
        UserError: a table is missing or is none, or two of them differ.
    """
    first = 0
    for path in paths:
        with open_table(path) as file:
            dimension = file.schema_arrow.field("embedding").type.list_size
        if first and dimension != first:
            raise UserError(
                f"{paths[0]} describes a picture by {first} numbers, {path} by {dimension}; "
                "delete both and run again, so that one tracer makes them"
            )
        first = dimension
    return first


def read_vectors(
    paths: Sequence[Path], rows: int, wanted: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Yield the embeddings of the pictures that were described, in order, in full blocks.

    Args:
        paths: tables of features of one dimension, one after the other.
        rows: of every block but the last.
        wanted: which rows of all the tables are meant, bool of shape (rows of all,); none of them
            of a picture that was not described. By default all that were.

    Yields:
        float32 of shape (rows, dimension), rows of length 1; float16 lost that by a little.

    Raises:
        UserError: a table is missing or is none.
    """
    block, filled = None, 0
    for vectors in _read_pieces(paths, min(rows, _ROWS_PER_READ), wanted):
        while len(vectors):
            if block is None:
                block, filled = np.empty((rows, vectors.shape[1]), np.float32), 0
            taken = vectors[: rows - filled]
            block[filled : filled + len(taken)] = taken
            filled, vectors = filled + len(taken), vectors[len(taken) :]
            if filled == rows:
                yield block
                block = None
    if block is not None:
        yield block[:filled]


def _read_pieces(
    paths: Sequence[Path], rows: int, wanted: np.ndarray | None
) -> Iterator[np.ndarray]:
    start = 0
    for path in paths:
        with open_table(path) as file:
            for batch in file.iter_batches(rows, columns=["status", "embedding"]):
                mask = pc.equal(batch["status"], OK)
                if wanted is not None:
                    mask = pa.array(wanted[start : start + len(batch)])
                start += len(batch)
                kept = batch.filter(mask)["embedding"]
                vectors = kept.flatten().to_numpy().reshape(len(kept), kept.type.list_size)
                vectors = vectors.astype(np.float32)
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                yield vectors
