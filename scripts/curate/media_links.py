"""What can be told of a candidate's video without asking anyone: from its link, from refusals."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from scripts.common.errors import Rejected
from scripts.curate.message_parts import LINK_EXPIRY

_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")
LASTING = {"gone", "empty_file", "undecodable", "no_frames", "not_a_video", "compressed"}
"""Reasons that the same link would give tomorrow; others are tried again by every run."""


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


class RefusedLinks:
    """A file with a line for each refusal: hash of the link, signature included; reason; time.

    A link that is signed anew is another link. Each line is on disk before the next link is
    asked for; a line that a killed run left torn is passed over.
    """

    def __init__(self, path: Path, days: float):
        """Read what earlier runs noted.

        Args:
            path: the file, which need not exist.
            days: for which a refusal is remembered.
        """
        self._path, self._span = Path(path), timedelta(days=days)
        self._refused: dict[str, tuple[str, datetime]] = {}
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        for line in lines:
            try:
                name, reason, moment = json.loads(line)
                if reason in LASTING:
                    self._refused[name] = reason, datetime.fromisoformat(moment)
            except (ValueError, TypeError):
                continue

    def reason(self, link: str, now: datetime) -> str | None:
        """Return why a link was refused not long ago, or None."""
        reason, moment = self._refused.get(short_hash(link), (None, now))
        return reason if now - moment <= self._span else None

    def note(self, link: str, reason: str, now: datetime) -> None:
        """Remember a refusal, if its reason is a lasting one."""
        if reason not in LASTING:
            return
        name = short_hash(link)
        self._refused[name] = reason, now
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a") as file:
            # A line of its own also after a torn one.
            file.write(f"\n{json.dumps([name, reason, now.isoformat()])}")
