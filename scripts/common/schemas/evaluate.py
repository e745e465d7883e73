"""Tables of the stage evaluate: scores of single videos, and their means."""

import pyarrow as pa

from scripts.common.schemas.items import REASONS as ITEM_REASONS
from scripts.common.schemas.items import outcome
from scripts.common.tables import column, optional, table_schema

REASONS = ITEM_REASONS | {
    "too_large": "the decoded video would take more than evaluate.max_decoded_mb",
    "too_few_frames": "the dimension compares frames, and the video has too few of them",
    "too_small": "the picture is smaller than the model can take",
    "no_move_asked": "the text prompt names no camera move, and the dimension is whether it is done",
    "not_a_number": "the dimension gave no finite number",
    "scoring_failed": "the dimension raised an error for the item",
}
"""The closed list of reasons of a score; those of the item index are passed on."""

REMARKS = {
    "prompt_truncated": "the text prompt has more tokens than the model reads; the rest was cut"
}
"""The closed list of remarks on items that were scored."""

COMPONENTS = ("pan", "tilt", "zoom", "rotation", "strength")
"""What ``CameraMotion`` can score."""

_SCORE_COLUMNS = [
    column("generator", pa.string(), "entry of config/generators.yaml"),
    column("item", pa.string(), "UUID of the prompt"),
    column("metric", pa.string(), "entry of config/dimensions.yaml"),
    optional("value", pa.float64(), "the video's score"),
    optional("frames", pa.int32(), "of the video, where there is one"),
    *outcome(REASONS),
    optional("remark", pa.string(), "what to know of an item that was scored", values=REMARKS),
]

SCORES = table_schema(
    "scores",
    "One row per TIP-Eval prompt, generator and dimension: the video's score, or why there is none.",
    *_SCORE_COLUMNS,
)

MEAN, MEAN_BY_FRAMES = "mean", "mean_by_frames"
"""How scores are summed up: each video the same, as tables and figures show it, or each by its
frames, as VBench does on one GPU."""
MEAN_LOW, MEAN_HIGH = "mean_low", "mean_high"
"""The 95 % interval of the mean."""

EVALUATION_SUMMARY = table_schema(
    "evaluation_summary",
    "One row per dimension and generator: the mean over the videos (Table 7).",
    column("dimension", pa.string(), "entry of config/dimensions.yaml"),
    column("generator", pa.string(), "entry of config/generators.yaml"),
    column(
        "metric",
        pa.string(),
        "how the videos' scores are summed up",
        values=[MEAN, MEAN_LOW, MEAN_HIGH, MEAN_BY_FRAMES],
    ),
    optional("value", pa.float64(), "the mean; missing if no video was scored"),
    column("items", pa.int64(), "videos that were scored"),
    column("rejected", pa.int64(), "wanted videos that were not scored"),
    column("remarked", pa.int64(), "scored videos with a remark, such as a cut prompt"),
)

LEADERBOARD = table_schema(
    "leaderboard",
    "One row per dimension and generator: mean and rank on the prompts that all generators have a "
    "score of, with 95 % intervals over resampled prompts.",
    column("dimension", pa.string(), "entry of config/dimensions.yaml"),
    column("generator", pa.string(), "entry of config/generators.yaml"),
    column("items", pa.int64(), "prompts that are compared"),
    column("mean", pa.float64(), "the mean score"),
    column("low", pa.float64(), "where its interval begins..."),
    column("high", pa.float64(), "...and ends"),
    column("rank", pa.int32(), "1 for the highest mean"),
    column("rank_low", pa.int32(), "the best rank of the interval..."),
    column("rank_high", pa.int32(), "...and the worst"),
    optional(
        "smallest_difference",
        pa.float64(),
        "of two means that so many prompts can show (5 %, two-sided, power 80 %)",
    ),
)

_SHARES = pa.map_(pa.string(), pa.field("value", pa.float64(), nullable=False))

CAMERA = table_schema(
    "camera",
    "One row per generator and camera move that was asked for: how many videos do it (TIP-Camera).",
    column("generator", pa.string(), "entry of config/generators.yaml"),
    column("source", pa.string(), "what asks: parameter (-camera, to Pika alone) or text"),
    column("asked", pa.string(), "the move"),
    column("items", pa.int64(), "videos whose camera was measured"),
    column("followed", pa.int64(), "of them, videos that do the move, be it beside another"),
    column("adherence", pa.float64(), "the share of these"),
    column("low", pa.float64(), "where its 95 % interval (Wilson) begins..."),
    column("high", pa.float64(), "...and ends"),
    column(
        "measured", _SHARES, "what the videos do: videos by move, of several moves their shares"
    ),
)

MOTION_STRENGTH = table_schema(
    "motion_strength",
    "One row per generator and number that users typed as -motion: how strongly videos move.",
    column("generator", pa.string(), "entry of config/generators.yaml"),
    optional("motion", pa.int32(), "the number; missing where none was typed, and 1 held"),
    column("items", pa.int64(), "videos"),
    column(
        "strength",
        pa.float64(),
        "mean motion within 1/8 s of their fastest twentieth, in shorter sides",
    ),
    optional("error", pa.float64(), "standard error of the mean"),
)

TOPICS = table_schema(
    "topics",
    "One row per subject or direction of TIP-Eval and generator: how good its videos are.",
    column("kind", pa.string(), "subject or direction"),
    column("name", pa.string(), "merged subject, or verb"),
    column("generator", pa.string(), "entry of config/generators.yaml"),
    column("items", pa.int64(), "scored videos"),
    column("score", pa.float64(), "mean over videos and dimensions, in deviations from all videos"),
)
