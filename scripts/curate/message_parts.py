"""Parts of one message in an export by DiscordChatExporter: author, command, content, video.

With `--markdown false` the exporter writes what users typed without escaping it, so a message may
hold any tag. Whatever can be anchored behind the content (attachments) or to the message's own id
(its header) therefore is.
"""

import html
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from scripts.curate.html_tags import ATTRIBUTES, read_attributes, tag

FILE_SIZE = r" \([^()]*\)$"
LINK_EXPIRY = r"[?&]ex=([0-9a-fA-F]{1,8})(?:&|$)"

_EDITED = tag("span", "chatlog__edited-timestamp")
_LABEL = tag("span", "chatlog__(?:author-tag|bot-label)")
_AUTHOR = (
    tag("span", "chatlog__author", "attributes")
    + rf"(?P<name>[^<]*)</span>\s*(?P<label>{_LABEL}[^<]*</span>\s*)?<span\s[^<>]*?"
)
_HEADER_LINK = (
    rf"chatlog__timestamp\b{ATTRIBUTES}>\s*"
    r"(?:<a\s[^<>]*?\bhref\s*=\s*[\"']?#chatlog__message-container-(?P<id>\d+))?"
)


def _compile(expression: str) -> re.Pattern[bytes]:
    return re.compile(expression.encode())


_AUTHOR_TAG = _compile(tag("span", "chatlog__author"))
_HEADER = _compile(_AUTHOR)
_OWN_HEADER = _compile(f"(?P<header>{_AUTHOR}){_HEADER_LINK}")
_INTERACTION = _compile(
    tag("div", "chatlog__reply-author", "attributes")
    + r"[^<]*</div>\s*"
    + tag("div", "chatlog__reply-content")
    + r"\s*used /(?P<command>[^<]*?)\s*</div>"
)
_CONTENT = _compile(
    tag("div", "chatlog__content")
    + r"\s*"
    + tag("(?P<element>span|div)", "chatlog__markdown-preserve")
)
# What stands between the content, which is inside a span or a div, and the first attachment.
_CONTENT_END = {
    element.encode(): _compile(
        rf"</{element}>\s*(?:{_EDITED}[^<]*</span>\s*)?</div>\s*{tag('div', 'chatlog__attachment')}"
    )
    for element in ("span", "div")
}
_VIDEO = _compile(
    tag("video", "chatlog__attachment-media", "player")
    + rf"\s*<source(?=\s)(?P<source>{ATTRIBUTES})>"
)
_VIDEO_TITLE = "Video: "
_DISCORD_EPOCH_MS = 1_420_070_400_000


class Author(NamedTuple):
    """Who wrote a message: the name shown, the full name (``name`` or ``name#1234``), the id.

    Anybody may take a name; an id is one account's for good.
    """

    name: str
    full_name: str
    is_bot: bool
    user_id: str | None = None


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
        found = re.search(LINK_EXPIRY, self.location)
        return int(found[1], 16) * 1000 if found else None


def snowflake_ms(snowflake):
    """Return the time in Discord ids (a number, or a column of them) in ms of Unix time."""
    return snowflake // (1 << 22) + _DISCORD_EPOCH_MS


def find_author(body: bytes, message_id: bytes) -> Author | None:
    """Return the author that a message's header names, if it opens a group.

    The header links to its own message (since 2.35), so that no header typed into a message that
    is replied to can pass for it.

    Args:
        body: what follows the tag of the message's container.
        message_id: the message's id, in digits.
    """
    unlinked = None
    for start in _AUTHOR_TAG.finditer(body):
        header = _OWN_HEADER.match(body, start.start())
        if header and header["id"] == message_id:
            return read_author(header["header"])
        if header and header["id"] is None and unlinked is None:
            unlinked = read_author(header["header"])
    return unlinked


@lru_cache(maxsize=1 << 14)
def read_author(header: bytes) -> Author | None:
    """Return the author that a header names; None if it is no header.

    Args:
        header: what stands between the tag of ``chatlog__author``, included, and the word
            ``chatlog__timestamp``.
    """
    found = _HEADER.fullmatch(header)
    if found is None:
        return None
    shown = html.unescape(decode(found["name"])).strip()
    attributes = read_attributes(decode(found["attributes"]))
    full_name = attributes.get("title") or shown
    return Author(shown, full_name, found["label"] is not None, attributes.get("data-user-id"))


@lru_cache(maxsize=1 << 14)
def find_interaction(reply: bytes) -> Interaction | None:
    """Return the slash command that a message answers, if any.

    Args:
        reply: what stands before the message's own header.
    """
    found = _INTERACTION.search(reply)
    if found is None:
        return None
    command = html.unescape(decode(found["command"]))
    return Interaction(command, read_attributes(decode(found["attributes"])).get("title"))


def content_and_video(body: bytes) -> tuple[str, Video | None]:
    """Return a message's content as HTML ('' if there is none) and its first attached video.

    The content ends at the last place where an attachment follows, so that no tag inside the
    content can pass for the message's own attachment.

    Args:
        body: what follows the tag of the message's container.
    """
    content, attachments = b"", 0
    if opening := _CONTENT.search(body):
        for ending in _CONTENT_END[opening["element"]].finditer(body, opening.end()):
            content = body[opening.end() : ending.start()]
            attachments = ending.end()
    for player in _VIDEO.finditer(body, attachments):
        source = read_attributes(decode(player["source"]))
        # Until 2.38 an embedded GIF was rendered like an attachment.
        if source.get("src") and b"aria-label" not in player["player"]:
            location, title = source["src"], source.get("title", "")
            name = unquote(location.partition("?")[0]).rpartition("/")[2]
            if title.startswith(_VIDEO_TITLE):
                name = re.sub(FILE_SIZE, "", title.removeprefix(_VIDEO_TITLE))
            return decode(content), Video(location, name)
    return decode(content), None


def decode(data: bytes) -> str:
    """Decode text; what is not UTF-8 is replaced, so that one bad byte costs one character."""
    return data.decode("utf-8", errors="replace")
