"""Prompts of other data sets, with which TIP-I2V's are compared."""

import pyarrow as pa

from scripts.common.tables import column, table_schema

OUTSIDE_PROMPTS = table_schema(
    "outside_prompts",
    "One row per prompt or caption of a data set that the paper compares with (Section 4).",
    column("uuid", pa.string(), "id of the prompt in its data set"),
    column("prompt", pa.string(), "the text"),
    column("dataset", pa.string(), "which data set; the demo's say that they are made up"),
)
