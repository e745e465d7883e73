"""Tables of the stage evaluate: scores of single videos, and their means."""

import pyarrow as pa

from scripts.common.schemas.items import REASONS as ITEM_REASONS
from scripts.common.schemas.items import outcome
from scripts.common.tables import column, optional, table_schema

REASONS = ITEM_REASONS | {
    "too_large": "the decoded video would take more than evaluate.max_decoded_mb",
    "too_few_frames": "the dimension compares frames, and the video has too few of them",
    "too_small": "the picture is smaller than the model can take",
    "not_a_number": "the dimension gave no finite number",
    "scoring_failed": "the dimension raised an error for the item",
}
"""The closed list of reasons of a score; those of the item index are passed on."""

REMARKS = {
    "prompt_truncated": "the text prompt has more tokens than the model reads; the rest was cut"
}
"""The closed list of remarks on items that were scored."""

_SCORE_COLUMNS = [
    column("generator", pa.string(), "entry of config/generators.yaml"),
    column("item", pa.string(), "UUID of the prompt"),
    column("metric", pa.string(), "entry of config/dimensions.yaml"),
    optional("value", pa.float64(), "the video's score"),
    *outcome(REASONS),
    optional("remark", pa.string(), "what to know of an item that was scored", values=REMARKS),
]

SCORES = table_schema(
    "scores",
    "One row per TIP-Eval prompt, generator and dimension: the video's score, or why there is none.",
    *_SCORE_COLUMNS,
)

EVALUATION_SUMMARY = table_schema(
    "evaluation_summary",
    "One row per dimension and generator: the mean over the videos (Table 7).",
    column("dimension", pa.string(), "entry of config/dimensions.yaml"),
    column("generator", pa.string(), "entry of config/generators.yaml"),
    column("metric", pa.string(), "how the videos' scores are summed up: mean"),
    optional("value", pa.float64(), "the mean; missing if no video was scored"),
    column("items", pa.int64(), "videos that were scored"),
    column("rejected", pa.int64(), "wanted videos that were not scored"),
    column("remarked", pa.int64(), "scored videos with a remark, such as a cut prompt"),
)
