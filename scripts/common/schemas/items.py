"""The index beside each tar: one row per wanted item, found or not."""

import pyarrow as pa

from scripts.common.tables import column, table_schema

OK = "ok"
REJECTED = "rejected"

REASONS = {
    "no_candidate": "no message of the prompt names a video",
    "link_expired": "the signed link's own date has passed",
    "link_not_local": "the video is a link, and links are not fetched in this run",
    "missing_file": "the file that the export names is not there",
    "unsafe_path": "the path leads out of the export's media folder",
    "empty_file": "the file has no bytes",
    "undecodable": "the file cannot be decoded as a video or picture",
    "no_frames": "the file decodes to no frame at all",
    "too_many_pixels": "one frame has more pixels than the configuration allows",
    "no_video": "there is no video for the item",
    "no_image": "there is no image prompt for the item",
    "generation_failed": "the generator raised an error for the item",
}
"""The closed list of reasons of an index."""

ITEM_INDEX = table_schema(
    "item_index",
    "One row per wanted video or image of a tar; a rejected one has a reason and no bytes.",
    [
        column("uuid", pa.string(), "id of the item: of its prompt, or of an outside item"),
        column("group", pa.string(), "source that segments share", nullable=True),
        column("status", pa.string(), "ok or rejected"),
        column("reason", pa.string(), "why it was rejected", nullable=True),
        column("width", pa.int32(), "width", "pixels", nullable=True),
        column("height", pa.int32(), "height", "pixels", nullable=True),
        column("fps", pa.float64(), "average frame rate", "1/s", nullable=True),
        column("frames", pa.int32(), "frames that decode", nullable=True),
        column("duration_s", pa.float64(), "frames / fps", "s", nullable=True),
        column("codec", pa.string(), "codec or picture format", nullable=True),
        column("size_bytes", pa.int64(), "size of the file", "bytes", nullable=True),
        column("sha256", pa.string(), "checksum of the file", nullable=True),
        column("offset", pa.int64(), "where its bytes begin in the tar", "bytes", nullable=True),
    ],
)
