"""Rows dealt out to parts on disk, and read back one part at a time: for what no memory holds."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq


class Partitions:
    """A folder with one Parquet file for each part, written a piece at a time.

    Use it as a context manager; the files are to be read when all is written.
    """

    def __init__(self, folder: Path, parts: int, empty: pl.DataFrame):
        """Open the files.

        Args:
            folder: is made.
            parts: number of them.
            empty: a table without rows, for its columns.
        """
        folder.mkdir(parents=True)
        self._columns, schema = empty.columns, empty.to_arrow().schema
        self._paths = [folder / f"{number}.parquet" for number in range(parts)]
        self._writers = [pq.ParquetWriter(path, schema) for path in self._paths]

    def write(self, rows: pl.DataFrame, parts: np.ndarray) -> None:
        """Append each row to its part, in their order.

        Args:
            rows: with the columns of ``empty``, and perhaps others.
            parts: of each row, whole numbers from 0 on.
        """
        rows = rows.select(self._columns).with_columns(_part=pl.Series(parts, dtype=pl.Int32))
        for (part,), some in rows.partition_by("_part", as_dict=True, include_key=False).items():
            self._writers[part].write_table(some.to_arrow())

    def read(self, part: int) -> pl.DataFrame:
        """Return a part's rows, in the order in which they were written, and delete its file."""
        self._writers[part].close()
        table = pl.read_parquet(self._paths[part])
        self._paths[part].unlink()
        return table

    def __len__(self) -> int:
        return len(self._paths)

    def __enter__(self) -> "Partitions":
        return self

    def __exit__(self, *fault: object) -> None:
        for writer in self._writers:
            writer.close()
