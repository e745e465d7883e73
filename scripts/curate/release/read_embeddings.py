"""Take a released embedding, deal it out to the buckets of the prompts (Section 3)."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.errors import UserError
from scripts.common.identity import shard_of
from scripts.common.job import run_job
from scripts.common.partitions import Partitions
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import EMBEDDED, embeddings
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.release import RELEASED
from scripts.common.tables import embedding, write_table
from scripts.curate.release.released_rows import iterate_batches, open_table, parse_uuid

BATCH_ROWS = 8_192  # 100 MB of 3,072 numbers
_EMPTY = pl.DataFrame(schema={"uuid": pl.String, "rank": pl.Int32, "vector": pl.Binary})
"""A row on its way to its bucket; ``vector`` is float16 as it lies in memory."""


def read_embeddings(
    tables: Sequence[Path],
    indexes: Sequence[Path],
    annotations: Sequence[Path],
    vectors: Sequence[Path],
) -> Counts:
    """Write the released vectors of each bucket's prompts that have an image.

    A table of 21 GB is read in batches, dealt out to the buckets as float16, and one bucket at a
    time is put in order. The names of its columns are not documented: the column of UUIDs is
    found by its values, and the vector is the one column of lists of numbers, or all columns of
    numbers side by side.

    Args:
        tables: released tables of one embedding, the largest first; a prompt's first row counts.
        indexes: indexes of the images (``ITEM_INDEX``), in the order of the buckets.
        annotations: table of ``EMBEDDED`` for each bucket.
        vectors: table of ``embeddings`` for each bucket: vectors of length 1.

    Returns:
        Counts of prompts.

    Raises:
        UserError: a table is no Parquet, or has no columns that can be UUIDs and vectors.
    """
    readers = [_Reader(table) for table in tables]
    dimension = readers[0].dimension
    for reader in readers:
        if reader.dimension != dimension:
            raise UserError(
                f"{reader.table} has vectors of {reader.dimension} numbers, and {tables[0]} of "
                f"{dimension}; they are of different versions, download both again"
            )
    schema = embeddings(dimension)
    annotations[0].parent.mkdir(parents=True, exist_ok=True)
    counts = Counts(declared=0)
    with (
        tempfile.TemporaryDirectory(dir=annotations[0].parent, prefix="tmp-") as folder,
        Partitions(Path(folder, "parts"), len(annotations), _EMPTY) as parts,
    ):
        _deal_out(readers, parts)
        places = zip(indexes, annotations, vectors, strict=True)
        for part, (index, statuses, path) in enumerate(places):
            images = pl.read_parquet(index, columns=["uuid", "status"])
            wanted = images.filter(pl.col("status") == OK)["uuid"].sort()
            table = _in_order(parts.read(part), wanted, dimension)
            write_table(table, path, schema)
            missing = pc.invert(pc.is_in(wanted.to_arrow(), value_set=table["uuid"]))
            columns = {
                "uuid": wanted.to_arrow(),
                "status": pc.if_else(missing, REJECTED, OK),
                "reason": pc.if_else(missing, "not_released", pa.scalar(None, pa.string())),
            }
            write_table(pa.table(columns), statuses, EMBEDDED)
            counts.declared += len(wanted)
            counts.keep(table.num_rows)
            counts.reject("not_released", len(wanted) - table.num_rows)
    return counts


class _Reader:
    """One released table of vectors, whatever its columns are called."""

    def __init__(self, table: Path):
        self.table = table
        file = open_table(table)
        self.rows, schema = file.metadata.num_rows, file.schema_arrow
        first = next(file.iter_batches(64), None)
        if first is None or not first.num_rows:
            raise UserError(f"{table} has no rows; download it again")
        self.key = next((name for name in schema.names if _holds_uuids(first.column(name))), None)
        lists = [field.name for field in schema if _is_vector(field.type)]
        numbers = [f.name for f in schema if pa.types.is_floating(f.type)]
        if self.key is None or not (len(lists) == 1 or (not lists and len(numbers) > 1)):
            kinds = ", ".join(f"{field.name} ({field.type})" for field in list(schema)[:8])
            raise UserError(
                f"{table} has no column of UUIDs beside one of vectors; it has {kinds}"
                f"{' ...' if len(schema) > 8 else ''}: take its annotation off release.annotations"
            )
        self.values = lists or numbers
        self.dimension = len(numbers) if not lists else len(first.column(lists[0])[0])

    def batches(self) -> Iterator[tuple[list[str | None], np.ndarray]]:
        """Yield UUIDs (None where there is none) and float32 vectors (rows, dimension).

        A row whose vector is missing or has another number of numbers is left out.
        """
        for batch in iterate_batches(self.table, [self.key, *self.values], BATCH_ROWS):
            if len(self.values) > 1:
                vectors = np.stack([batch[name].to_numpy() for name in self.values], axis=1)
            else:
                lengths = pc.list_value_length(batch[self.values[0]])
                batch = batch.filter(pc.equal(lengths, self.dimension))
                numbers = batch[self.values[0]].combine_chunks().flatten()
                vectors = numbers.to_numpy(zero_copy_only=False).reshape(-1, self.dimension)
            uuids = [parse_uuid(value) for value in batch[self.key].to_pylist()]
            yield uuids, vectors.astype(np.float32)


def _is_vector(kind: pa.DataType) -> bool:
    lists = pa.ListType | pa.LargeListType | pa.FixedSizeListType
    return isinstance(kind, lists) and pa.types.is_floating(kind.value_type)


def _holds_uuids(column: pa.Array) -> bool:
    is_text = column.type in (pa.string(), pa.large_string())
    return is_text and all(parse_uuid(value) for value in column.to_pylist())


def _deal_out(readers: Sequence[_Reader], parts: Partitions) -> None:
    """Add each good vector, at length 1, to the part of its bucket."""
    for rank, reader in enumerate(readers):
        total = reader.rows // BATCH_ROWS + 1
        for uuids, vectors in progress(reader.batches(), reader.table.stem, total):
            norms = np.linalg.norm(vectors, axis=1)
            good = np.isfinite(norms) & (norms > 0) & [uuid is not None for uuid in uuids]
            units = (vectors[good] / norms[good, None]).astype(np.float16)
            kept = [uuid for uuid, fine in zip(uuids, good, strict=True) if fine]
            width = units.dtype.itemsize * reader.dimension
            numbers = pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(width), len(kept), [None, pa.py_buffer(units.tobytes())]
            )
            columns = {"uuid": kept, "vector": pl.from_arrow(numbers)}
            rows = pl.DataFrame(columns).with_columns(rank=pl.lit(rank, pl.Int32))
            parts.write(rows, np.array([shard_of(uuid, len(parts)) for uuid in kept], np.int32))


def _in_order(part: pl.DataFrame, wanted: pl.Series, dimension: int) -> pa.Table:
    """Return the vectors of the wanted prompts that have one; of several the first."""
    first = part.sort("rank", maintain_order=True).unique("uuid", keep="first", maintain_order=True)
    found = wanted.rename("uuid").to_frame().join(first, on="uuid").sort("uuid")
    numbers = np.frombuffer(b"".join(found["vector"]), np.float16)
    columns = {
        "uuid": found["uuid"].to_arrow(),
        "embedding": pa.FixedSizeListArray.from_arrays(
            pa.array(numbers), type=embedding(dimension)
        ),
        "backend": pa.array([RELEASED] * found.height, pa.string()),
    }
    return pa.table(columns)


if __name__ == "__main__":
    run_job(read_embeddings, snakemake)
