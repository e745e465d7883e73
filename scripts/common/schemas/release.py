"""Tables made from the released data set, as it lies on the Hugging Face hub."""

import pyarrow as pa

from scripts.common.schemas.items import ITEM_INDEX, outcome
from scripts.common.tables import column, optional, table_schema

RELEASED = "released"
"""Stands in annotations where otherwise the annotator's name does."""

ROW_REASONS = {
    "in_another_split": "the prompt is in a larger split as well, and counts there",
    "duplicate_uuid": "an earlier row of the split has the same UUID",
    "no_uuid": "the row's UUID is none",
    "empty_prompt": "the row has no text prompt",
    "no_timestamp": "the row's time is missing, or in no known form",
    "removed": "the prompt, or who typed it, is on the removal list",
    "not_in_the_files": "the card counts the row, and no file of the split has it",
}
"""The closed list of reasons of RELEASE_REJECTS, and of the account of rows."""

MEMBER_REASONS = {
    "no_uuid": "the member's name holds no UUID",
    "hidden_file": "the member's name begins with a dot, as a copying program leaves them",
    "other_kind": "the member is neither a picture nor a video, by its name or its kind",
    "duplicate_member": "an earlier member of the tar is of the same prompt",
    "cut_off": "the tar ends inside the member",
    "too_large": "the member is larger than any picture or video of the data set can be",
    "empty_file": "the member has no bytes",
    "undecodable": "the member cannot be decoded as what it should be",
    "no_frames": "the member decodes to no frame at all",
    "in_another_archive": "a tar, or a larger table, has the picture, and it is taken from there",
}
"""The closed list of reasons of RELEASED_MEMBERS."""

MATCH_REASONS = {
    "not_wanted": "no prompt that is wanted has the member's UUID",
    "other_copy": "another member of the same prompt was taken",
}
"""Why a good member is in no index, as the account says it."""

RELEASED_MEMBERS = table_schema(
    "released_members",
    "One row per file in a released tar, or per picture in a released table.",
    column("name", pa.string(), "the member's name"),
    optional("uuid", pa.string(), "id of the prompt, from the name"),
    *outcome(MEMBER_REASONS),
    *[ITEM_INDEX.field(name) for name in ITEM_INDEX.names[ITEM_INDEX.names.index("width") :]],
)

RELEASE_ROWS = table_schema(
    "release_rows",
    "The released rows without their pictures, each prompt once, in buckets of the UUID.",
    column("UUID", pa.string(), "id of the prompt, as released"),
    column("Text_Prompt", pa.string(), "text prompt, NFC, white space folded"),
    column("timestamp_utc", pa.timestamp("ms", "UTC"), "the released time, taken as UTC"),
    optional("Subject", pa.string(), "as released"),
    optional("Text_NSFW", pa.float32(), "as released"),
    optional("Image_NSFW", pa.string(), "as released"),
    optional("UserID", pa.string(), "as released, in versions that have it"),
    optional("Direction", pa.string(), "as released, in versions that have it"),
    column("split", pa.string(), "the largest split that has the row: Full, Subset or Eval"),
    column("subset", pa.bool_(), "whether the split Subset has the row"),
    column("tip_eval", pa.bool_(), "whether the split Eval has the row"),
)

RELEASED_SPLITS = table_schema(
    "released_splits",
    "The prompts of the released Subset and Eval: those that the released videos animate.",
    column("UUID", pa.string(), "id of the prompt, as released"),
    column("Text_Prompt", pa.string(), "text prompt, NFC, white space folded"),
    optional("Subject", pa.string(), "as released"),
    column("subset", pa.bool_(), "whether the split Subset has the row"),
    column("tip_eval", pa.bool_(), "whether the split Eval has the row"),
)

RELEASE_REJECTS = table_schema(
    "release_rejects",
    "Released rows that gave no prompt of their own.",
    column("split", pa.string(), "Full, Subset or Eval"),
    column("row", pa.int64(), "number of the row in the split's files, from 0"),
    optional("uuid", pa.string(), "the row's UUID"),
    column("reason", pa.string(), "why: one of ROW_REASONS", values=ROW_REASONS),
)
