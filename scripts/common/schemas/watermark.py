"""Tables of the watermark check: the overlays that pictures have in common, and each one's score."""

import pyarrow as pa

from scripts.common.schemas.items import REASONS, outcome
from scripts.common.tables import column, optional, table_schema

_FIELD = pa.list_(pa.field("element", pa.float32(), nullable=False))

OVERLAYS = table_schema(
    "overlays",
    "Overlays found in image prompts of the same size; a size without one has a row as well.",
    column("width", pa.int32(), "width of the pictures", "pixels"),
    column("height", pa.int32(), "height of the pictures", "pixels"),
    column("images", pa.int32(), "pictures of this size that were looked at"),
    column("is_searched", pa.bool_(), "whether they were enough to look for an overlay"),
    column("scale", pa.float64(), "of the pictures to the pixels below"),
    column("edges", pa.binary(), "PNG: how steep the mean gradient is, white at 2 a pixel"),
    optional("left", pa.int32(), "where the overlay begins", "scaled pixels"),
    optional("top", pa.int32(), "where the overlay begins", "scaled pixels"),
    optional("box_width", pa.int32(), "its width", "scaled pixels"),
    optional("box_height", pa.int32(), "its height", "scaled pixels"),
    optional("gradient", _FIELD, "mean gradients by x, then by y, row by row"),
    optional("threshold", pa.float32(), "score above which a picture has an overlay"),
    optional(
        "rare_threshold",
        pa.float32(),
        "the same for pictures of sizes without an overlay of their own, in which more places "
        "are tried",
    ),
)

WATERMARKS = table_schema(
    "watermarks",
    "How well each image prompt fits the overlays that were found.",
    column("uuid", pa.string(), "id of the prompt"),
    optional("score", pa.float32(), "-1 to 1; null where nothing was found"),
    column("has_overlay", pa.bool_(), "whether the score is above the threshold"),
    *outcome(REASONS),
)
