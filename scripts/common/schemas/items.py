"""The index beside each tar: one row per wanted item, found or not."""

from collections.abc import Iterable

import pyarrow as pa

from scripts.common.tables import column, optional, table_schema

OK = "ok"
REJECTED = "rejected"

REASONS = {
    "no_candidate": "no message of the prompt names a video",
    "link_expired": "the signed link's own date has passed",
    "link_not_local": "the video is a link, and links are not fetched in this run",
    "bad_link": "the link is no well-formed address",
    "not_https": "the link, or where it was redirected, is not https",
    "host_not_allowed": "the link, or where it was redirected, is of a host that is not listed",
    "private_address": "the host's name leads to an address that is not public",
    "too_many_redirects": "the link was redirected too often",
    "unreachable": "the host's name, the connection or its encryption failed, at every try",
    "host_down": "so many links of the host failed that the rest were not tried in this run",
    "timed_out": "the server took too long, at every try",
    "truncated": "the connection broke before all bytes had come, at every try",
    "bad_range": "the server's partial answers did not fit together, at every try",
    "too_many_requests": "the server said that there were too many requests, at every try",
    "server_error": "the server had an error (5xx), at every try",
    "gone": "the server has no such file (404, 410)",
    "forbidden": "the server refused access (401, 403, 451)",
    "refused": "the server refused the request (another 4xx or 3xx)",
    "too_large": "the file is larger than the configuration, or any picture or video, may be",
    "too_long": "all frames together have more pixels than the configuration allows",
    "compressed": "the answer was compressed although no compression was asked for",
    "not_a_video": "the server called the answer text, and it does not decode",
    "mirror_failed": "the mirror had an error when it was asked for the file",
    "broken_copy": "the ledger's copy of the file is broken; the next run looks for it again",
    "search_failed": "an error that nobody foresaw ended the search for it; the log names it",
    "unreadable_file": "the file is there, but the system does not let it be read",
    "missing_file": "the file that the export names is not there",
    "unsafe_path": "the path leads out of the folder or archive in which it stands",
    "empty_file": "the file has no bytes",
    "undecodable": "the file cannot be decoded as a video or picture",
    "no_frames": "the file decodes to no frame at all",
    "too_many_pixels": "one frame has more pixels than the configuration allows",
    "no_video": "there is no video for the item",
    "no_image": "there is no image prompt for the item",
    "generation_failed": "the generator raised an error for the item",
    "guardrail_refused": "the generator's guardrail refused the prompt, or a frame of its video",
    "blank_video": "the generator gave one colour alone from start to end",
    "frozen_video": "the generator gave the same picture from start to end",
    "not_a_number": "the generator gave pixels that are not numbers",
    "no_member": "no tar of the released data set holds a file for the prompt",
    "cut_off": "the archive ends inside the file",
    "damaged_member": "the archive's own checksum or packing says that the file is damaged",
    "decompression_bomb": "it unpacks to far more than it was packed into, or lies on another file",
    "duplicate_member": "an earlier file of the source has the same name",
    "not_a_file": "it is a link, a device or an encrypted file",
    "too_short": "the video is shorter than one piece, or than a control or a detector's clip",
    "too_slow": "the video has fewer frames per second than a control asks for",
}
"""The closed list of reasons of an index."""


def outcome(reasons: Iterable[str]) -> list[pa.Field]:
    """Return the columns that say whether a row's item was done, and why not.

    Args:
        reasons: the closed list.
    """
    return [
        column("status", pa.string(), "ok or rejected", values=(OK, REJECTED)),
        optional("reason", pa.string(), "why it was rejected", values=reasons),
    ]


ITEM_INDEX = table_schema(
    "item_index",
    "One row per wanted video or image of a tar; a rejected one has a reason and no bytes.",
    column("uuid", pa.string(), "id of the item: of its prompt, or of an outside item"),
    optional("group", pa.string(), "source that segments share"),
    *outcome(REASONS),
    optional("width", pa.int32(), "width", "pixels"),
    optional("height", pa.int32(), "height", "pixels"),
    optional("fps", pa.float64(), "average frame rate", "1/s"),
    optional("frames", pa.int32(), "frames that decode"),
    optional("duration_s", pa.float64(), "frames / fps", "s"),
    optional("codec", pa.string(), "codec or picture format"),
    optional("size_bytes", pa.int64(), "size of the file", "bytes"),
    optional("sha256", pa.string(), "checksum of the file"),
    optional("offset", pa.int64(), "where its bytes begin in the tar", "bytes"),
)

PLACED_INDEX = ITEM_INDEX.append(
    optional("tar", pa.string(), "tar that holds it, if not the one beside the index")
).with_metadata(
    {
        "name": "placed_index",
        "description": "An index of which items may lie in tars that stay where they are.",
    }
)

GENERATED_INDEX = ITEM_INDEX.append(
    column(
        "speed", pa.string(), "how it was generated; of a shard, all in one way",
        values=("fidelity", "fast"),
    )
).with_metadata(
    {"name": "generated_index", "description": "An index of videos that a generator made."}
)  # fmt: skip
