"""Features as they are searched: read in blocks, in float32, of length 1."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.common.errors import UserError
from scripts.common.schemas.items import OK
from scripts.common.schemas.trace import features_schema
from scripts.common.tables import read_table


def read_pictures(path: Path) -> pa.Table:
    """Return uuid, role, status and reason of a set's pictures, without their embeddings."""
    names = ["uuid", "role", "status", "reason"]
    return read_table(path, features_schema(1), names)


def read_vectors(path: Path, rows: int = 16_384) -> Iterator[np.ndarray]:
    """Yield the embeddings of the pictures that were described, in order, in blocks.

    Args:
        path: a table of features.
        rows: per block, at most.

    Yields:
        float32 of shape (rows, dimension), rows of length 1; float16 lost that by a little.

    Raises:
        UserError: the table is missing or is none.
    """
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run the rule that makes it") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} cannot be read as Parquet ({error}); delete it and run again"
        ) from None
    with file:
        for batch in file.iter_batches(rows, columns=["status", "embedding"]):
            kept = batch.filter(pc.equal(batch["status"], OK))["embedding"]
            vectors = kept.flatten().to_numpy().reshape(len(kept), kept.type.list_size)
            vectors = vectors.astype(np.float32)
            yield vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def read_all_vectors(path: Path) -> np.ndarray:
    """Return all of ``read_vectors`` as one array; none at all has shape (0, 0)."""
    blocks = list(read_vectors(path))
    return np.concatenate(blocks) if blocks else np.empty((0, 0), np.float32)
