"""Tables of what was recovered from Discord exports."""

import pyarrow as pa

from scripts.common.schemas.items import outcome
from scripts.common.tables import TEXTS, column, optional, table_schema

EXPORT_REASONS = {
    "empty": "the file has no bytes",
    "no_export": "the file is no HTML export of DiscordChatExporter",
    "too_old": "a version of DiscordChatExporter before 2.34 made it",
    "other_tool": "its messages name no author in the way of DiscordChatExporter",
    "no_message": "it says that it holds messages, but none was found",
    "damaged": "it goes on for megabytes without a new message; what stands before was read",
}
"""The closed list of reasons of EXPORTS."""

EXPORTS = table_schema(
    "exports",
    "One row: whether an HTML file is an export, and could be read to its end.",
    column("file", pa.string(), "name of the file, without its folder"),
    *outcome(EXPORT_REASONS),
    optional("detail", pa.string(), "the reason in a sentence, with the way out"),
    column("found_messages", pa.int64(), "messages that were found in it"),
    optional("declared_messages", pa.int64(), "its own count of messages"),
    column("bot_ids", TEXTS, "ids of the bots in it that bear a name of curate.bot_names"),
)

MESSAGE_REJECT_REASONS = {
    "torn": "another message begins inside it, whose own beginning the file lost",
    "system_notice": "a notice of Discord's, such as somebody joining",
    "not_a_bot": "a person wrote it",
    "borrowed_name": "a bot of a name in curate.bot_names wrote it, with none of curate.bot_ids",
    "other_bot": "a bot wrote it that the configuration does not name",
    "no_author": "the file lost the part that names its author",
    "no_video": "the bot attached no video: a request in progress, refused or failed",
    "no_prompt": "the bot attached a video, but the text is in no known form",
    "cut_off": "the file ends inside the message",
    "removed": "its prompt is on the removal list, which was applied after it was recovered",
}
"""The closed list of reasons of MESSAGE_REJECTS."""

MESSAGES = table_schema(
    "messages",
    "One row per generation with a video, in the order of the export (Section 3).",
    column("message_id", pa.string(), "Discord's id of the message (a snowflake)"),
    column("timestamp_utc", pa.timestamp("ms", "UTC"), "when it was sent, from its id"),
    optional("requester", pa.string(), "user name of who asked; must not be published"),
    optional("command", pa.string(), "slash command that it answers"),
    column("prompt", pa.string(), "prompt as typed, white space folded; may be empty"),
    optional("negative_prompt", pa.string(), "what the video shall not show"),
    optional("motion", pa.int32(), "Pika's strength of motion, 0 to 4"),
    optional("guidance_scale", pa.float64(), "Pika's guidance scale, 8 to 24"),
    optional("aspect_ratio", pa.string(), "width:height as asked for"),
    optional("camera", TEXTS, "camera moves as asked for, such as 'zoom in' and 'pan left'"),
    optional("fps", pa.int32(), "frame rate as asked for", "1/s"),
    optional("seed", pa.int64(), "seed as asked for"),
    optional("other_parameters", pa.string(), "options that Pika does not know"),
    column("kind", pa.string(), "image_to_video, text_to_video or unknown"),
    column("video", pa.string(), "address, or percent-encoded path beside the export"),
    column("video_name", pa.string(), "the video's file name on Discord"),
    optional("video_expires_utc", pa.timestamp("ms", "UTC"), "when the signed address dies"),
)

MESSAGE_REJECTS = table_schema(
    "message_rejects",
    "Every other message of an export, in its order.",
    column("message_id", pa.string(), "Discord's id of the message (a snowflake)"),
    column(
        "reason", pa.string(), "why: one of MESSAGE_REJECT_REASONS", values=MESSAGE_REJECT_REASONS
    ),
)
