"""What can be told of a candidate's video from its link alone, without asking anyone."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from scripts.common.errors import Rejected
from scripts.curate.message_parts import LINK_EXPIRY

_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")


def is_link(video: str) -> bool:
    """Return whether a candidate's video is an address; otherwise it is a path beside the export."""
    return video[:8].lower().startswith(("http://", "https://"))


def expires_at(link: str) -> datetime | None:
    """Return when a signed link (``?ex=``, seconds of Unix time in hexadecimal) dies, if it says."""
    found = re.search(LINK_EXPIRY, link)
    return datetime.fromtimestamp(int(found[1], 16), UTC) if found else None


def attachment_key(link: str) -> str | None:
    """Return ``channel/attachment/name`` of a link to a Discord attachment; None for other links.

    It stays the same when the link is signed anew, and names the file in a mirror. Channel and
    attachment are digits and the name is one part, so that no key leads out of a mirror.
    """
    try:
        parts = urlsplit(link).path.split("/")
    except ValueError:
        return None
    if len(parts) < 4:
        return None
    channel, attachment, name = parts[-3], parts[-2], unquote(parts[-1])
    if not (_DIGITS.fullmatch(channel) and _DIGITS.fullmatch(attachment)):
        return None
    if name in ("", ".", "..") or _UNSAFE.search(name) or len(name.encode()) > 255:
        return None
    return str(PurePosixPath(channel, attachment, name))


def link_key(link: str) -> str:
    """Return what a link and its fresh one have in common: the attachment, else the bare address."""
    return attachment_key(link) or link.partition("?")[0]


def candidate_version(candidate: Mapping) -> str:
    """Return a name for where a candidate's video is from, the same however its link is signed.

    Args:
        candidate: ``export`` and ``video`` of ``PROMPTS``' candidates.
    """
    video = candidate["video"]
    place = link_key(video) if is_link(video) else f"{candidate['export']}\n{video}"
    return short_hash(place)


def short_hash(text: str) -> str:
    """Return 32 hexadecimal digits for a text, fit to be a file's name."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def check_readable(link: str) -> None:
    """Refuse a link that cannot go on one line of a command's input.

    Raises:
        Rejected: bad_link.
    """
    if re.search(r"[\x00-\x20\x7f]", link):
        raise Rejected("bad_link", "white space or control characters")
