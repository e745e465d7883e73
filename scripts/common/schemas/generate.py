"""Tables of the stage generate."""

import pyarrow as pa

from scripts.common.tables import column, table_schema

CHOSEN = table_schema(
    "chosen_prompts",
    "The prompts that every generator animates: a uniform subset of the data set, and TIP-Eval.",
    column("uuid", pa.string(), "id of the prompt"),
    column("prompt", pa.string(), "text prompt"),
    column("subset", pa.bool_(), "drawn uniformly; TIP-ID and TIP-Trace are made of these"),
    column("tip_eval", pa.bool_(), "belongs to TIP-Eval"),
)

CHOICE_REASONS = {"not_drawn": "neither drawn for the subset nor in TIP-Eval"}
"""The closed list of reasons for which a prompt is not given to the generators."""
