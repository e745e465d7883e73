"""Rows of the released tables, read in batches and brought into one form."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.common.errors import UserError
from scripts.common.identity import normalise_prompt

REQUIRED = ("UUID", "Text_Prompt", "Timestamp")
PICTURE = "Image_Prompt"
OPTIONAL = {
    "Subject": pl.String,
    "Text_NSFW": pl.Float32,
    "Image_NSFW": pl.String,
    "UserID": pl.String,
    "Direction": pl.String,
}
"""Columns of a row's own values; UserID and Direction came with a later version."""

BATCH_ROWS = 50_000
TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%a %b %e %H:%M:%S %Y")
"""Forms of the released time: TIP-I2V's, and those of its like."""


def columns_of(table: Path) -> list[str]:
    """Return the names of a released table's columns.

    Raises:
        UserError: it is no Parquet.
    """
    return open_table(table).schema_arrow.names


def iterate_rows(tables: Sequence[Path]) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield the rows of a split's tables in batches, each with the number of its first row.

    Pictures are not read: Parquet keeps columns apart.

    Yields:
        ``uuid`` (lower case; null if it is none), ``prompt``, ``timestamp_utc``, the columns of
        ``OPTIONAL`` (null where the release has none), ``given_uuid``; and a number.

    Raises:
        UserError: a table is no Parquet, or a column is missing or of another kind; table and
            column are named, and what was found.
    """
    first = 0
    for table in tables:
        columns = [*REQUIRED, *(name for name in OPTIONAL if name in columns_of(table))]
        for batch in iterate_batches(table, columns, BATCH_ROWS):
            yield _in_form(pl.DataFrame(batch), table), first
            first += batch.num_rows


def iterate_pictures(table: Path, batch_rows: int = 200) -> Iterator[tuple[str | None, bytes]]:
    """Yield the UUID (null if it is none) and the compressed image prompt of each row.

    Raises:
        UserError: the table is no Parquet, or has no pictures in the form of Hugging Face.
    """
    for batch in iterate_batches(table, ["UUID", PICTURE], batch_rows):
        kind = batch[PICTURE].type
        in_struct = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
        if not (in_struct or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            raise UserError(f"{table}: column '{PICTURE}' is {kind}, not a struct with 'bytes'")
        for value, picture in zip(batch["UUID"].to_pylist(), batch[PICTURE], strict=True):
            data = picture["bytes"] if in_struct and picture.is_valid else picture
            yield parse_uuid(value), (data.as_py() if data.is_valid else None) or b""


def iterate_batches(table: Path, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """Yield some columns of a released table, so many rows at a time.

    Raises:
        UserError: the table is no Parquet, or a column is missing: what there is is named.
    """
    file = open_table(table)
    present = file.schema_arrow.names
    for name in columns:
        if name not in present:
            raise UserError(
                f"{table}: column '{name}' is missing; the table has {', '.join(present)}"
            )
    try:
        for batch in file.iter_batches(rows, columns=list(columns)):
            yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(_unreadable(table, error)) from None


def parse_uuid(value: str | None) -> str | None:
    """Return a UUID in its usual spelling, or None if the value is none."""
    try:
        return str(UUID(str(value)))
    except ValueError:
        return None


def open_table(table: Path) -> pq.ParquetFile:
    """Open a released Parquet file, to be read in batches whatever its row groups are.

    The two settings keep memory flat: by default Arrow holds all column chunks that it has read,
    and pandas writes a million rows in one, which of the embeddings are 12 GB.

    Raises:
        UserError: it is missing or no Parquet.
    """
    try:
        return pq.ParquetFile(table, buffer_size=2**20, pre_buffer=False)
    except FileNotFoundError:
        raise UserError(f"{table} is missing; download it again") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(_unreadable(table, error)) from None


def _unreadable(table: Path, error: Exception) -> str:
    """Return the sentence of an error for a file that is no whole Parquet."""
    return f"{table} cannot be read as Parquet ({str(error).splitlines()[0]}); download it again"


def _in_form(rows: pl.DataFrame, table: Path) -> pl.DataFrame:
    times = rows["Timestamp"]
    if times.dtype == pl.String:
        parsed = pl.coalesce(
            pl.col("Timestamp")
            .str.strip_chars()
            .str.to_datetime(form, strict=False, time_unit="ms")
            for form in TIMES
        )
    elif times.dtype == pl.Datetime:
        parsed = pl.col("Timestamp").cast(pl.Datetime("ms"))
    else:
        raise UserError(f"{table}: column 'Timestamp' is {times.dtype}, not a time or its text")
    try:
        optional = [
            (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in OPTIONAL.items()
        ]
        return rows.select(
            pl.col("UUID").cast(pl.String).alias("given_uuid"),
            pl.Series("uuid", map(parse_uuid, rows["UUID"]), pl.String),
            pl.Series(
                "prompt", (normalise_prompt(text or "") for text in rows["Text_Prompt"]), pl.String
            ),
            parsed.dt.replace_time_zone("UTC").alias("timestamp_utc"),
            *optional,
        )
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise UserError(f"{table}: a column is of another kind than released: {error}") from None
