"""Tables of unique prompts."""

import pyarrow as pa

from scripts.common.tables import TEXTS, column, optional, table_schema

REJECT_REASONS = {
    "same_message": "the message is in another export as well",
    "text_to_video": "the generation began with a text alone",
    "image_to_video": "the configuration does not ask for generations from an image",
    "unknown": "the configuration does not ask for generations of unknown kind",
    "empty_prompt": "the generation has no text prompt",
    "removed": "its prompt, or who first typed it, is on the removal list",
    "duplicate_prompt": "an earlier message has the same prompt",
}

CANDIDATE = pa.struct(
    [
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("export", pa.string(), nullable=False),
        pa.field("video", pa.string(), nullable=False),
        pa.field("video_expires_utc", pa.timestamp("ms", "UTC")),
    ]
)

PROMPTS = table_schema(
    "prompts",
    "Unique prompts (Section 3), each as its earliest message has it.",
    column("uuid", pa.string(), "version-5 UUID of the normalised prompt"),
    column("prompt", pa.string(), "text prompt, NFC, white space folded"),
    column("timestamp_utc", pa.timestamp("ms", "UTC"), "time of the earliest message"),
    optional("user_id", pa.string(), "keyed hash of who asked"),
    column("kind", pa.string(), "image_to_video, text_to_video or unknown"),
    optional("negative_prompt", pa.string(), "what the video shall not show"),
    optional("motion", pa.int32(), "Pika's strength of motion, 0 to 4"),
    optional("guidance_scale", pa.float64(), "Pika's guidance scale"),
    optional("aspect_ratio", pa.string(), "width:height as asked for"),
    optional("camera", TEXTS, "camera moves as asked for"),
    optional("fps", pa.int32(), "frame rate as asked for", "1/s"),
    optional("seed", pa.int64(), "seed as asked for"),
    column("messages", pa.int32(), "messages with this prompt"),
    column(
        "candidates",
        pa.list_(pa.field("element", CANDIDATE, nullable=False)),
        "the videos of these messages, earliest first; the first that decodes is taken",
    ),
)

PARAMETERS = table_schema(
    "parameters",
    "What the user asked Pika for beside the prompt, for each row of the data set; null where it "
    "was not asked for, and Pika's default held.",
    column("UUID", pa.string(), "id of the data set's row"),
    optional(
        "camera",
        TEXTS,
        "-camera: moves in their order: zoom in or out; pan up, down, left or right; rotate and "
        "a direction as typed",
    ),
    optional("motion", pa.int32(), "-motion: strength, 0 to 4 by Pika; default 1"),
    optional("guidance_scale", pa.float64(), "-gs: 8 to 24 by Pika; default 12"),
    optional("negative_prompt", pa.string(), "-neg: what not to show"),
    optional("aspect_ratio", pa.string(), "-ar: width:height as typed"),
    optional("fps", pa.int32(), "-fps: 8 to 24 by Pika; default 24", "1/s"),
)
"""The side table of the data set: numbers as users typed them, be they outside Pika's range."""

PROMPT_REJECTS = table_schema(
    "prompt_rejects",
    "Messages with a video that gave no prompt of their own.",
    column("message_id", pa.string(), "the message"),
    column("reason", pa.string(), "why: one of REJECT_REASONS", values=REJECT_REASONS),
)
