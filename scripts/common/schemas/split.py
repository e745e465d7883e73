"""Tables of the stage split: TIP-Eval, TIP-ID and TIP-Trace."""

import pyarrow as pa

from scripts.common.tables import column, table_schema

TRAIN, TEST, QUERY = "train", "test", "query"
ALONG = "along"
"""Part of frames of query videos that tell how tracing fares along a video; they are no queries."""

REAL, TEXT_GENERATED, IMAGE_GENERATED = "real", "text_generated", "image_generated"
SOURCE_IMAGE, REFERENCE, DISTRACTOR = "source_image", "reference", "distractor"
TRAINING_IMAGE = "training_image"

_PLACE = [
    column("tar", pa.string(), "tar that holds the file, seen from the working directory"),
    column("offset", pa.int64(), "where the file begins in the tar", "bytes"),
    column("size_bytes", pa.int64(), "size of the file", "bytes"),
]

TIP_EVAL = table_schema(
    "tip_eval",
    "TIP-Eval: the most popular subjects, each with the same number of prompts (Section 5.2).",
    column("uuid", pa.string(), "id of the prompt"),
    column("prompt", pa.string(), "text prompt"),
    column("subject", pa.string(), "merged subject"),
)

TIP_ID = table_schema(
    "tip_id",
    "TIP-ID: videos of one source that are there, in training or test (Supplement 13).",
    column("uuid", pa.string(), "id of the video: of its prompt, or of an outside item"),
    column("group", pa.string(), "what stays on one side: prompt, source video, or item"),
    column("label", pa.string(), "real, text_generated or image_generated"),
    column("source", pa.string(), "generator, or entry of config/sources.yaml"),
    column("split", pa.string(), "train or test"),
    *_PLACE,
)

TRACE_PROMPTS = table_schema(
    "trace_prompts",
    "TIP-Trace: which prompts are for training and which for queries (Supplement 15).",
    column("uuid", pa.string(), "id of the prompt"),
    column("part", pa.string(), "train or query"),
)

TRACE_FRAMES = table_schema(
    "trace_frames",
    "TIP-Trace: frames of one generator's videos that train, or are queries (Supplement 15).",
    column("uuid", pa.string(), "id of the video's prompt"),
    column("part", pa.string(), "train, query, or along (several frames of a query video)"),
    column("frame", pa.int32(), "number of the frame, from 0"),
    *_PLACE,
)

TRACE_IMAGES = table_schema(
    "trace_images",
    "TIP-Trace: pictures that train, are searched, or are searched for in vain (Supplement 15).",
    column("uuid", pa.string(), "id of the picture: of its prompt, or of an outside item"),
    column("role", pa.string(), "training_image, source_image, reference or distractor"),
    *_PLACE,
    column("sha256", pa.string(), "checksum of the file"),
)

LEAKAGE_COLUMNS = ("rule", "section", "meaning", "checked", "violations")
"""Columns of results/splits/leakage.csv: one row for each rule against leakage."""

COVERAGE_COLUMNS = ("split", "source", "part", "status", "reason", "items")
"""Columns of results/splits/coverage.csv: wanted items that are there, or why they are not."""

REASONS = {
    "no_subject": "the prompt has no subject",
    "unpopular_subject": "the subject is not among the most popular ones",
    "not_drawn": "more items than asked for; this one was not drawn",
    "same_bytes": "the file equals one that is there already in another role",
}
"""The closed list of reasons that splits add to those of the item index."""
