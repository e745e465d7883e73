"""The account of the search for scraped videos: every candidate and what became of it."""

import pyarrow as pa

from scripts.common.schemas.items import REASONS
from scripts.common.tables import column, optional, table_schema

OUTCOMES = {
    "ok": "the video was taken from here",
    "not_needed": "a candidate before it was taken",
    "recalled": "not looked at: an earlier run has the video of another candidate",
} | REASONS
"""The closed list of what becomes of a candidate."""

PLACES = {
    "media": "a file beside the export",
    "mirror": "the configured mirror",
    "link": "its link",
    "ledger": "the files of an earlier run",
}
"""Where a candidate's video was looked for."""

VIDEO_CANDIDATES = table_schema(
    "video_candidates",
    "What became of every video of every prompt; a candidate that was looked for in two places "
    "has two rows.",
    column("uuid", pa.string(), "id of the prompt"),
    column("candidate", pa.int32(), "which of the prompt's videos, from 0, earliest first"),
    column("message_id", pa.string(), "the message that the video is from"),
    optional("place", pa.string(), "where it was looked for: one of PLACES", values=PLACES),
    column("outcome", pa.string(), "what became of it: one of OUTCOMES", values=OUTCOMES),
    column("tries", pa.int32(), "requests for it in this run"),
    column("received_bytes", pa.int64(), "that came over the network in this run", "bytes"),
    optional("seconds", pa.float64(), "spent on requests, waits included", "s"),
)
