"""Take a released embedding, deal it out to the buckets of the prompts (Section 3)."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.errors import UserError
from scripts.common.identity import shard_of
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import EMBEDDED, embeddings
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.release import RELEASED
from scripts.common.tables import embedding, write_table
from scripts.curate.release.released_rows import open_table, parse_uuid, unreadable

BATCH_ROWS = 8_192  # 100 MB of 3,072 numbers


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
    with tempfile.TemporaryDirectory(dir=annotations[0].parent, prefix="tmp-") as folder:
        parts = [_Part(Path(folder, f"{n}.part"), dimension) for n in range(len(annotations))]
        _deal_out(readers, parts)
        places = zip(parts, indexes, annotations, vectors, strict=True)
        for part, index, statuses, path in places:
            images = pl.read_parquet(index, columns=["uuid", "status"])
            wanted = images.filter(pl.col("status") == OK)["uuid"].sort()
            table = part.take(wanted)
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
        self.file = open_table(table)
        schema = self.file.schema_arrow
        first = next(self.file.iter_batches(64), None)
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

    def batches(self):
        """Yield UUIDs (None where there is none) and float32 vectors (rows, dimension)."""
        try:
            for batch in self.file.iter_batches(BATCH_ROWS, columns=[self.key, *self.values]):
                uuids = [parse_uuid(value) for value in batch.column(self.key).to_pylist()]
                yield uuids, self._vectors(batch)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(unreadable(self.table, error)) from None

    def _vectors(self, batch: pa.RecordBatch) -> np.ndarray:
        """Return a row of numbers for each row; of not-a-number where it has other than so many."""
        if len(self.values) > 1:
            columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in self.values]
            return np.stack(columns, axis=1).astype(np.float32)
        column = batch.column(self.values[0])
        flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        if len(flat) == len(column) * self.dimension and not column.null_count:
            return flat.reshape(len(column), self.dimension)
        vectors = np.full((len(column), self.dimension), np.nan, np.float32)
        for number, row in enumerate(column.to_pylist()):
            if row is not None and len(row) == self.dimension:
                vectors[number] = row
        return vectors


def _is_vector(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests) and pa.types.is_floating(kind.value_type)


def _holds_uuids(column: pa.Array) -> bool:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    return all(parse_uuid(value) for value in column.to_pylist())


class _Part:
    """The vectors of one bucket on disk, as they come: raw numbers, and a line for each."""

    def __init__(self, path: Path, dimension: int):
        self._lines, self._numbers = path.with_suffix(".tsv"), path.with_suffix(".float16")
        self._dimension = dimension
        for file in (self._lines, self._numbers):
            file.touch()

    def append(self, uuids: Sequence[str], rank: int, vectors: np.ndarray) -> None:
        """Add float16 vectors of shape (uuids, dimension) from the table of this rank."""
        with open(self._numbers, "ab") as file:
            vectors.tofile(file)
        with open(self._lines, "a") as file:
            file.writelines(f"{uuid}\t{rank}\n" for uuid in uuids)

    def take(self, wanted: pl.Series) -> pa.Table:
        """Return the vectors of the wanted prompts that have one."""
        lines = [line.split("\t") for line in self._lines.read_text().splitlines()]
        rows = {"uuid": [line[0] for line in lines], "rank": [int(line[1]) for line in lines]}
        places = (
            pl.DataFrame(rows, {"uuid": pl.String, "rank": pl.Int32})
            .with_row_index("place")
            .sort("rank", "place")
            .unique("uuid", keep="first", maintain_order=True)
        )
        found = wanted.rename("uuid").to_frame().join(places, on="uuid").sort("uuid")
        numbers = np.fromfile(self._numbers, np.float16).reshape(-1, self._dimension)
        vectors = numbers[found["place"].to_numpy()]
        columns = {
            "uuid": found["uuid"].to_arrow(),
            "embedding": pa.FixedSizeListArray.from_arrays(
                pa.array(vectors.ravel()), type=embedding(self._dimension)
            ),
            "backend": pa.array([RELEASED] * found.height, pa.string()),
        }
        return pa.table(columns)


def _deal_out(readers: Sequence[_Reader], parts: Sequence[_Part]) -> None:
    """Add each good vector, at length 1, to the part of its bucket."""
    for rank, reader in enumerate(readers):
        total = reader.file.metadata.num_rows // BATCH_ROWS + 1
        for uuids, vectors in progress(reader.batches(), reader.table.stem, total):
            norms = np.linalg.norm(vectors, axis=1)
            good = np.isfinite(norms) & (norms > 0)
            buckets = [
                shard_of(uuid, len(parts)) if uuid and fine else -1
                for uuid, fine in zip(uuids, good, strict=True)
            ]
            order = np.argsort(buckets, kind="stable")
            starts = np.searchsorted(np.array(buckets)[order], np.arange(len(parts) + 1))
            for part, first, last in zip(parts, starts[:-1], starts[1:], strict=True):
                rows = order[first:last]
                if len(rows):
                    units = (vectors[rows] / norms[rows, None]).astype(np.float16)
                    part.append([uuids[row] for row in rows], rank, units)


if __name__ == "__main__":
    run_job(read_embeddings, snakemake)
