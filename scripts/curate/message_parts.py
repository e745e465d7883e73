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

FILE_SIZE = r" \([^()]*\)$"
LINK_EXPIRY = r"[?&]ex=([0-9a-fA-F]{1,8})(?:&|$)"

_HEADER = re.compile(
    rb"chatlog__author[\"']?(?P<attributes>\s[^<>]*)>(?P<name>[^<]*)</span>\s*"
    rb"(?P<tag><span class=[\"']?chatlog__(?:author-tag|bot-label)[\"']?>[^<]*</span>\s*)?"
    rb"<span class=[\"']?"
)
_HEADER_LINK = re.compile(
    rb"chatlog__timestamp\b[^<>]*>\s*(?:<a href=[\"']?#chatlog__message-container-(?P<id>\d+))?"
)
_INTERACTION = re.compile(
    rb"chatlog__reply-author[\"']?(?P<attributes>[^<>]*)>[^<]*</div>\s*"
    rb"<div class=[\"']?chatlog__reply-content[\"']?>\s*used /(?P<command>[^<]*?)\s*</div>"
)
_CONTENT = re.compile(
    rb"chatlog__content\b[^<>]*>\s*<(span|div) class=[\"']?chatlog__markdown-preserve[\"']?>"
)
# What stands between the content, which is inside a span or a div, and the first attachment.
_CONTENT_END = {
    tag: re.compile(
        rb"</%s>\s*(?:<span class=[\"']?chatlog__edited-timestamp\b[^<>]*>[^<]*</span>\s*)?"
        rb"</div>\s*<div class=[\"']?chatlog__attachment[\"' >]" % tag
    )
    for tag in (b"span", b"div")
}
_VIDEO = re.compile(
    rb"<video class=[\"']?chatlog__attachment-media(?P<player>[^<>]*)>\s*<source(?P<source>[^<>]*)>"
)
_VIDEO_TITLE = "Video: "
_ATTRIBUTE = re.compile(rb"\s([\w-]+)=(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))")
_DISCORD_EPOCH_MS = 1_420_070_400_000


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
    for header in _HEADER.finditer(body):
        link = _HEADER_LINK.match(body, header.end())
        if link and link["id"] == message_id:
            return read_author(header[0])
        if link and link["id"] is None and unlinked is None:
            unlinked = read_author(header[0])
    return unlinked


@lru_cache(maxsize=1 << 14)
def read_author(header: bytes) -> Author | None:
    """Return the author that a header names; None if it is no header.

    Args:
        header: what stands between ``chatlog__author``, included, and ``chatlog__timestamp``.
    """
    found = _HEADER.fullmatch(header)
    if found is None:
        return None
    shown = html.unescape(decode(found["name"])).strip()
    full_name = _attributes(found["attributes"]).get("title") or shown
    return Author(shown, full_name, found["tag"] is not None)


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
    return Interaction(command, _attributes(found["attributes"]).get("title"))


def content_and_video(body: bytes) -> tuple[str, Video | None]:
    """Return a message's content as HTML ('' if there is none) and its first attached video.

    The content ends at the last place where an attachment follows, so that no tag inside the
    content can pass for the message's own attachment.

    Args:
        body: what follows the tag of the message's container.
    """
    content, attachments = b"", 0
    if opening := _CONTENT.search(body):
        for ending in _CONTENT_END[opening[1]].finditer(body, opening.end()):
            content = body[opening.end() : ending.start()]
            attachments = ending.end()
    for player in _VIDEO.finditer(body, attachments):
        source = _attributes(player["source"])
        # Until 2.38 an embedded GIF was rendered like an attachment.
        if source.get("src") and b"aria-label" not in player["player"]:
            return decode(content), _video(source["src"], source.get("title", ""))
    return decode(content), None


def decode(data: bytes) -> str:
    """Decode text; what is not UTF-8 is replaced, so that one bad byte costs one character."""
    return data.decode("utf-8", errors="replace")


def _video(location: str, title: str) -> Video:
    if title.startswith(_VIDEO_TITLE):
        return Video(location, re.sub(FILE_SIZE, "", title.removeprefix(_VIDEO_TITLE)))
    return Video(location, unquote(location.partition("?")[0]).rpartition("/")[2])


def _attributes(tag: bytes) -> dict[str, str]:
    """Return the attributes of a tag, of which its name is cut off, entities decoded."""
    return {
        decode(name): html.unescape(decode(double or single or bare))
        for name, double, single, bare in _ATTRIBUTE.findall(tag)
    }
