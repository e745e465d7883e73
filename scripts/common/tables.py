"""Parquet tables that fit their schema, and have the same bytes for the same rows."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.common.errors import UserError

if TYPE_CHECKING:  # pandas costs a light job half of its start
    import pandas as pd

Rows = Union[pa.Table, "pd.DataFrame", list[dict]]
TEXTS = pa.list_(pa.field("element", pa.string(), nullable=False))
"""The type of several texts."""
ROW_GROUP = 65_536
ROW_GROUP_BYTES = 2**26
"""Most bytes of a row group's vectors: what a reader has to hold at least."""


def column(
    name: str, kind: pa.DataType, description: str, unit: str = "", values: Iterable[str] = ()
) -> pa.Field:
    """Return a field of a schema, of which no value may be missing.

    Args:
        name: the column's name.
        kind: its Arrow type.
        description: one sentence on what it holds.
        unit: its unit where it has one (``s``, ``bytes``, ``pixels``).
        values: the closed list of what it may hold; anything by default. Files do not name it: a
            longer list gives the same bytes.
    """
    metadata = {"description": description} | ({"unit": unit} if unit else {})
    if closed := list(values):
        metadata["values"] = json.dumps(closed)
    return pa.field(name, kind, nullable=False, metadata=metadata)


def optional(
    name: str, kind: pa.DataType, description: str, unit: str = "", values: Iterable[str] = ()
) -> pa.Field:
    """Return a field as ``column`` does, of which values may be missing."""
    return column(name, kind, description, unit, values).with_nullable(True)


def table_schema(name: str, description: str, *columns: pa.Field) -> pa.Schema:
    """Return the schema of one kind of table; ``name`` is how errors call it."""
    return pa.schema(columns, metadata={"name": name, "description": description})


def embedding(dimension: int, kind: pa.DataType | None = None) -> pa.DataType:
    """Return the type of an embedding: a fixed-size list of float16 (or of ``kind``)."""
    return pa.list_(pa.field("element", kind or pa.float16(), nullable=False), dimension)


def embedding_array(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column of embeddings, of which none is missing, as an array (rows, dimension)."""
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, column.type.list_size)


def schema_name(schema: pa.Schema) -> str:
    """Return the name that ``table_schema`` gave."""
    return (schema.metadata or {}).get(b"name", b"table").decode()


def fit(data: Rows, schema: pa.Schema) -> pa.Table:
    """Return ``data`` as a table of exactly ``schema``.

    Raises:
        UserError: a column is missing, is not in the schema, has a type that cannot be cast
            without loss, holds a null where none may be, or a value that is not in its closed
            list; the column is named.
    """
    name = schema_name(schema)
    if isinstance(data, list):
        labels = sorted({*schema.names}.union(*data))
        data = {label: [row.get(label) for row in data] for label in labels}
    elif isinstance(data, pa.Table):
        data = dict(zip(data.column_names, data.columns, strict=True))
    else:
        data = {label: data[label] for label in data.columns}
    if missing := [label for label in schema.names if label not in data]:
        raise UserError(f"table '{name}': column '{missing[0]}' is missing")
    if unknown := [label for label in data if label not in schema.names]:
        raise UserError(f"table '{name}': column '{unknown[0]}' is not in its schema")
    columns = [_fit_column(data[field.name], field, name) for field in schema]
    return pa.table(columns, schema=_as_written(schema))


def write_table(data: Rows, path: Path, schema: pa.Schema, *, sort_by: Sequence[str] = ()) -> None:
    """Write a Parquet file that fits ``schema``, with the same bytes for the same rows.

    Args:
        data: a table, a data frame, or a list of rows.
        path: where it goes; its folder is made.
        schema: from ``table_schema``.
        sort_by: columns to sort by; by default the first column named ``uuid``, if there is one.

    Raises:
        UserError: as ``fit``.
    """
    table = fit(data, schema)
    keys = list(sort_by) or (["uuid"] if "uuid" in schema.names else [])
    if keys and not _is_sorted(table, keys):
        table = table.sort_by([(key, "ascending") for key in keys])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a ledger may hold a link to the old file
    pq.write_table(table, path, row_group_size=row_group(schema), **_writing(schema))


class TableWriter:
    """Writes a table of ``schema`` in pieces, for tables that do not fit in memory.

    Use it as a context manager; ``write`` takes what ``write_table`` takes, in the order in which
    the rows are to lie.
    """

    def __init__(self, path: Path, schema: pa.Schema):
        self._schema = schema
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._writer = pq.ParquetWriter(path, _as_written(schema), **_writing(schema))

    def write(self, data: Rows) -> None:
        """Append rows, as one row group unless they are too many."""
        table = fit(data, self._schema)
        if table.num_rows:
            self._writer.write_table(table, row_group_size=row_group(self._schema))

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, *fault: object) -> None:
        self._writer.close()


def read_table(
    paths: Path | str | Iterable[Path | str],
    schema: pa.Schema | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Read one or several Parquet files as one table.

    Args:
        paths: a file or files, read in the order given.
        schema: if given, each file must have its columns with their types.
        columns: the columns to read; all by default.

    Raises:
        UserError: a file is missing or no Parquet, or a column of ``schema`` is missing or has
            another type; file and column are named.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    return pa.concat_tables([_read_file(Path(path), schema, columns) for path in paths])


def read_frame(
    paths: Path | str | Iterable[Path | str],
    schema: pa.Schema | None = None,
    columns: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """Read as ``read_table`` does, and return a pandas data frame."""
    return read_table(paths, schema, columns).to_pandas()


def row_group(schema: pa.Schema) -> int:
    """Return how many rows go into a row group: fewer where long vectors make rows wide."""
    width = sum(kind.list_size * kind.value_type.byte_width for kind in _vectors(schema).values())
    return min(ROW_GROUP, max(1, ROW_GROUP_BYTES // max(1, width)))


def _as_written(schema: pa.Schema) -> pa.Schema:
    """Return a schema as files have it: without closed lists."""
    hidden = b"values"
    fields = [
        field.with_metadata(
            {key: text for key, text in (field.metadata or {}).items() if key != hidden}
        )
        for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


def _is_sorted(table: pa.Table, keys: Sequence[str]) -> bool:
    """Return whether a table is sorted already: to look costs a hundredth of sorting it again."""
    if len(keys) > 1 or table[keys[0]].null_count:
        return False
    values = table[keys[0]].combine_chunks()
    return bool(pc.all(pc.less_equal(values[:-1], values[1:])).as_py())


def _vectors(schema: pa.Schema) -> dict[str, pa.DataType]:
    kinds = {field.name: field.type for field in schema}
    return {name: kind for name, kind in kinds.items() if pa.types.is_fixed_size_list(kind)}


def _writing(schema: pa.Schema) -> dict:
    """Return how a table is written.

    Numbers of vectors hardly repeat: to look for a dictionary and for the least and the greatest of
    them takes four times as long as writing them.
    """
    settings = {"compression": "zstd", "version": "2.6"}
    if _vectors(schema):
        flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
        settings |= {"use_dictionary": flat, "write_statistics": flat}
    return settings


@contextlib.contextmanager
def open_table(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, to be read in parts.

    Raises:
        UserError: it is missing, or cannot be read.
    """
    try:
        # Not pq.read_table, which imports pandas: 0.3 s in every job.
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run the rule that makes it") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} cannot be read as Parquet ({error}); delete it and run again"
        ) from None


def _read_file(path: Path, schema: pa.Schema | None, columns: Sequence[str] | None) -> pa.Table:
    with open_table(path) as file:
        names = list(columns or file.schema_arrow.names)
        wanted = names if columns else [field.name for field in schema or ()]
        if missing := [name for name in wanted if name not in file.schema_arrow.names]:
            raise UserError(f"{path}: column '{missing[0]}' is missing")
        table = file.read(names).select(names)
    for field in schema or ():
        if field.name in names and (kind := table.schema.field(field.name).type) != field.type:
            raise UserError(f"{path}: column '{field.name}' is {kind}, not {field.type}")
    return table


def _fit_column(values: object, field: pa.Field, table: str) -> pa.ChunkedArray:
    try:
        if not isinstance(values, pa.ChunkedArray | pa.Array):
            values = pa.array(values, type=field.type, from_pandas=True)
        array = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
        array = array if array.type == field.type else array.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"table '{table}': column '{field.name}' does not fit {field.type}: {first}"
        ) from None
    if not field.nullable and array.null_count:
        raise UserError(
            f"table '{table}': column '{field.name}' holds {array.null_count} null(s), and may not"
        )
    if closed := (field.metadata or {}).get(b"values"):
        others = set(array.unique().to_pylist()) - {*json.loads(closed), None}
        if others:
            raise UserError(
                f"table '{table}': column '{field.name}' holds '{min(others)}', which its closed list "
                "in scripts/common/schemas does not have; add it there, or correct what gave it"
            )
    return array
