"""HTML exports of DiscordChatExporter, read as a stream of bytes.

The layout is the one of versions 2.34 to 2.47: a `chatlog__message-container` per message, inside
a `chatlog__message-group` per run of messages by one author. Only the first message of a group
names its author. Attributes may be quoted or not, the file minified or not.

Nothing here builds a tree. The file is split where a message begins; who wrote a message is found
in its first bytes, and its content and video are looked up only when they are asked for.

With `--markdown false` the exporter writes what users typed without escaping it, so a message may
hold any tag. Whatever can be anchored behind the content (attachments) or to the message's own id
(its header) therefore is; a message that forges a whole further one can still be noticed by the
number of messages only (`found_messages`, `declared_messages`).
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from scripts.common.errors import UserError

BLOCK_BYTES = 4 << 20
LONGEST_MESSAGE_BYTES = 64 << 20

_DISCORD_EPOCH_MS = 1_420_070_400_000
_HOW_TO_EXPORT = (
    "export the channel again with DiscordChatExporter 2.34 or newer in the format HtmlDark"
)

# The attribute stands once in every container's tag, and splitting on it is much faster than
# searching for the tag.
_MESSAGE_MARK = b"data-message-id="
_GROUP_TAG = re.compile(rb"<div class=[\"']?chatlog__message-group[\"']?>\s*")
_TAG_START = re.compile(
    rb"<div id=[\"']?chatlog__message-container-(?P<id>\d{1,19})[\"']?"
    rb"\s+class=[\"']?chatlog__message-container[^<>]*\Z"
)
_TAG_END = re.compile(rb"[\"']?(?P<id>\d{1,19})[\"']?(?=[\s>])[^<>]*>")

_SYSTEM_CLASS = b"chatlog__system-notification-icon"
_SYSTEM_ICON = re.compile(rb"<(?:svg|img) class=[\"']?chatlog__system-notification-icon")
_HEADER = re.compile(
    rb"<span class=[\"']?chatlog__author[\"']?(?P<attributes>\s[^<>]*)>(?P<name>[^<]*)</span>\s*"
    rb"(?P<tag><span class=[\"']?chatlog__(?:author-tag|bot-label)[\"']?>[^<]*</span>\s*)?"
    rb"<span class=[\"']?chatlog__timestamp\b[^<>]*>\s*"
    rb"(?:<a href=[\"']?#chatlog__message-container-(?P<id>\d+))?"
)
_INTERACTION = re.compile(
    rb"<div class=[\"']?chatlog__reply-author[\"']?(?P<attributes>[^<>]*)>[^<]*</div>\s*"
    rb"<div class=[\"']?chatlog__reply-content[\"']?>\s*used /(?P<command>[^<]*?)\s*</div>"
)
# Greedy: the content ends at the last place where an attachment follows, so that no tag inside
# the content can pass for the message's own attachment.
_CONTENT_AND_ATTACHMENTS = re.compile(
    rb"chatlog__content\b[^<>]*>\s*"
    rb"<(?:span|div) class=[\"']?chatlog__markdown-preserve[\"']?>(?P<content>.*)"
    rb"</(?:span|div)>\s*"
    rb"</div>\s*(?P<attachments><div class=[\"']?chatlog__attachment[\"' >].*)",
    re.DOTALL,
)
_EDITED = re.compile(
    rb"</(?:span|div)>\s*<span class=[\"']?chatlog__edited-timestamp\b[^<>]*>[^<]*\Z"
)
_VIDEO = re.compile(
    rb"<video class=[\"']?chatlog__attachment-media(?P<player>[^<>]*)>\s*<source(?P<source>[^<>]*)>"
)
_ATTRIBUTE = re.compile(rb"\s([\w-]+)=(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))")
_FILE_TITLE = re.compile(r"Video: (?P<name>.*?)(?: \([^()]*\))?", re.DOTALL)
_LINK_EXPIRY = re.compile(r"[?&]ex=([0-9a-fA-F]{1,8})(?:&|$)")
_DECLARED = re.compile(
    rb"<div class=[\"']?postamble__entry[\"']?>\s*Exported (?P<count>[^<]{1,60}?) message\(s\)"
)


class Author(NamedTuple):
    """Who wrote a message: the name shown, the full name (``name`` or ``name#1234``)."""

    name: str
    full_name: str
    is_bot: bool


class Interaction(NamedTuple):
    """The slash command that a message answers, and the full name of the user who gave it."""

    command: str
    user: str | None


class Video(NamedTuple):
    """A video attached to a message.

    ``location`` is an address, or a percent-encoded path relative to the export's folder if its
    media were downloaded; ``name`` is the file's full name on Discord.
    """

    location: str
    name: str

    @property
    def expires_ms(self) -> int | None:
        """When the signed link dies, in milliseconds of Unix time; None for other locations."""
        found = _LINK_EXPIRY.search(self.location)
        return int(found[1], 16) * 1000 if found else None


@dataclass(slots=True)
class Message:
    """One message: ``html`` is what stands between its container's tag and the next one.

    ``author`` is None where the file lost the beginning of the group. A message that is not
    complete was cut off by the end of the file.
    """

    message_id: int
    author: Author | None
    is_system: bool
    is_complete: bool
    html: bytes

    @property
    def timestamp_ms(self) -> int:
        """When it was sent, in milliseconds of Unix time: the upper bits of its id."""
        return snowflake_ms(self.message_id)

    def has_video(self) -> bool:
        """Whether it may have a video; cheap, and never wrong when it says no."""
        return b"<video" in self.html

    def content_and_video(self) -> tuple[str, Video | None]:
        """Return the content as HTML ('' if there is none) and the first attached video."""
        found = _CONTENT_AND_ATTACHMENTS.search(self.html)
        content = _EDITED.sub(b"", found["content"]) if found else b""
        for player in _VIDEO.finditer(found["attachments"] if found else self.html):
            source = _attributes(player["source"])
            # Until 2.38 an embedded GIF was rendered like an attachment.
            if source.get("src") and b"aria-label" not in player["player"]:
                return _text(content), _video(source["src"], source.get("title", ""))
        return _text(content), None

    def interaction(self) -> Interaction | None:
        """Return the slash command that the message answers, if any."""
        found = _INTERACTION.search(self.html) if b"used /" in self.html else None
        if found is None:
            return None
        command = html.unescape(_text(found["command"]))
        return Interaction(command, _attributes(found["attributes"]).get("title"))


class DiscordExport:
    """One export of a channel, or one part of a partitioned export.

    Attributes:
        found_messages: how many messages were found so far.
        declared_messages: the count of the closing line ``Exported N message(s)``, known when all
            messages were read; None if the file has no closing line, that is, was cut off.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.found_messages = 0
        self.declared_messages: int | None = None

    def messages(self) -> Iterator[Message]:
        """Yield every message in the file's order, in memory that does not grow with the file.

        Raises:
            UserError: the file is missing, empty, no export, or one by an unsupported version.
        """
        author = None
        authors_seen = complete_messages = 0
        for message_id, opens_group, body, is_last in self._containers():
            is_complete = not is_last or _is_closed(body)
            is_system = _is_system(body)
            if opens_group:
                author = None if is_system else _find_author(body, message_id)
                authors_seen += is_system or author is not None
            self.found_messages += 1
            complete_messages += is_complete
            yield Message(int(message_id), author, is_system, is_complete, body)
        if complete_messages and not authors_seen:
            raise UserError(
                f"{self.path} names no author in a way that DiscordChatExporter does, so another "
                f"tool made it; {_HOW_TO_EXPORT}"
            )

    def _containers(self) -> Iterator[tuple[bytes, bool, bytes, bool]]:
        """Yield (message id, whether it opens a group, what follows its tag, whether it is last)."""
        pieces = self._pieces()
        piece = next(pieces)
        message_id, opens_group = None, True
        for following in pieces:
            tag = piece.rfind(b"<div")
            start = _TAG_START.match(piece, tag) if tag >= 0 else None
            end = start and _TAG_END.match(following)
            if not end or end["id"] != start["id"]:
                # Somebody typed the attribute's name: it is text of the message before.
                piece += _MESSAGE_MARK + following
                self._check_length(piece)
                continue
            if message_id is not None:
                yield message_id, opens_group, piece, False
            message_id, opens_group = start["id"], _opens_group(piece, tag)
            piece = following[end.end() :]
        declared = _DECLARED.findall(piece)
        if declared:
            digits = re.sub(r"\D", "", html.unescape(_text(declared[-1])))
            self.declared_messages = int(digits) if digits else None
        if message_id is not None:
            # What follows the last complete tag is a piece of a tag.
            yield message_id, opens_group, piece[: piece.rfind(b">") + 1], True

    def _pieces(self) -> Iterator[bytes]:
        """Yield the file in pieces, split at every ``data-message-id=``."""
        with _open(self.path) as file:
            buffer = file.read(BLOCK_BYTES)
            _check_layout(buffer, self.path)
            while block := file.read(BLOCK_BYTES):
                *pieces, buffer = buffer.split(_MESSAGE_MARK)
                yield from pieces
                buffer += block
                self._check_length(buffer)
            yield from buffer.split(_MESSAGE_MARK)

    def _check_length(self, message: bytes) -> None:
        if len(message) > LONGEST_MESSAGE_BYTES:
            raise UserError(
                f"{self.path} has no new message for {LONGEST_MESSAGE_BYTES >> 20} MB after message "
                f"number {self.found_messages:,}, so it is damaged there; {_HOW_TO_EXPORT}"
            )


def snowflake_ms(snowflake: int) -> int:
    """Return the time in a Discord id, in milliseconds of Unix time."""
    return (snowflake >> 22) + _DISCORD_EPOCH_MS


def _attributes(tag: bytes) -> dict[str, str]:
    """Return the attributes of a tag, of which its name is cut off, entities decoded."""
    return {
        _text(name): html.unescape(_text(double or single or bare))
        for name, double, single, bare in _ATTRIBUTE.findall(tag)
    }


def _open(path: Path):
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; put the export there") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name the HTML file of an export") from None


def _check_layout(start: bytes, path: Path) -> None:
    """Refuse what is not an export by 2.34 or newer, by the classes in its first bytes."""
    if not start.strip():
        raise UserError(f"{path} is empty; {_HOW_TO_EXPORT}")
    if b"chatlog__message-container" in start:
        return
    if b"chatlog__message" in start or b"info__guild-name" in start:
        raise UserError(
            f"{path} was made by a version of DiscordChatExporter older than 2.34; {_HOW_TO_EXPORT}"
        )
    raise UserError(
        f"{path} is not an HTML export of DiscordChatExporter, or was cut off before its first "
        f"message; {_HOW_TO_EXPORT}"
    )


def _opens_group(piece: bytes, tag: int) -> bool:
    """Whether a group's tag stands right before the tag at ``tag``."""
    before = piece.rfind(b"<div", 0, tag)
    group = _GROUP_TAG.match(piece, before) if before >= 0 else None
    return group is not None and group.end() == tag


def _is_system(body: bytes) -> bool:
    # The icon is the first thing in a message; a class name further down was typed.
    return body.find(_SYSTEM_CLASS, 0, 700) >= 0 and bool(_SYSTEM_ICON.search(body, 0, 700))


def _is_closed(body: bytes) -> bool:
    """Whether a container is closed in ``body``, which begins behind its opening tag."""
    return body.count(b"</div>") > body.count(b"<div")


def _find_author(body: bytes, message_id: bytes) -> Author | None:
    # The header links to its own message (since 2.35), so that no header typed into a message
    # that is replied to can pass for it.
    unlinked = None
    for header in _HEADER.finditer(body):
        if header["id"] == message_id:
            return _author(header["attributes"], header["name"], header["tag"] is not None)
        if header["id"] is None and unlinked is None:
            unlinked = _author(header["attributes"], header["name"], header["tag"] is not None)
    return unlinked


@lru_cache(maxsize=4096)
def _author(attributes: bytes, name: bytes, is_bot: bool) -> Author:
    shown = html.unescape(_text(name)).strip()
    return Author(shown, _attributes(attributes).get("title") or shown, is_bot)


def _video(location: str, title: str) -> Video:
    found = _FILE_TITLE.fullmatch(title)
    name = found["name"] if found else unquote(location.partition("?")[0]).rpartition("/")[2]
    return Video(location, name)


def _text(data: bytes) -> str:
    """Decode text; what is not UTF-8 is replaced, so that one bad byte costs one character."""
    return data.decode("utf-8", errors="replace")
