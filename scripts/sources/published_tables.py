"""Tables of publishers: CSV or Parquet, of which some columns are read as text."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.errors import UserError


def read_columns(file: Path | str, columns: Sequence[str]) -> pl.DataFrame:
    """Return columns of a published table as text, as it stands there; what is missing is empty.

    Raises:
        UserError: the file cannot be read, or has no such column.
    """
    is_parquet = Path(file).suffix == ".parquet"
    try:
        table = pl.scan_parquet(file) if is_parquet else pl.scan_csv(file, infer_schema=False)
        return table.select(pl.col(columns).cast(pl.String)).fill_null("").collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"{file}: the columns {', '.join(columns)} cannot be read "
            f"({str(error).splitlines()[0]}); correct the entry in config/sources.yaml, or fetch the "
            "file again"
        ) from None
