"""Writes exports as DiscordChatExporter 2.43 does (its MessageGroupTemplate, minified).

Attributes stand without quotes where HTML allows it, each group of messages on one line, and a
message's own line breaks are kept. Only what the demo's channel needs is here and in the template
(export.html.j2).
"""

import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import jinja2

from scripts.demo.times import Locale, timestamp_of

GROUP_SPAN_MS = 7 * 60 * 1000
"""Messages of one author that lie closer together share a group."""

_MARKS = {
    "text": "{0}",
    "link": '<a href="{0}">{0}</a>',
    "code": '<code class="chatlog__markdown-pre chatlog__markdown-pre--inline">{0}</code>',
    "spoiler": '<span class="chatlog__markdown-spoiler chatlog__markdown-spoiler--hidden" '
    'onclick="showSpoiler(event, this)">{0}</span>',
}
_TEMPLATE = Path(__file__).with_name("export.html.j2")


@dataclass(frozen=True)
class Author:
    """A user or bot: id, user name (a bot's with its #number), and the name that is shown."""

    user_id: int
    name: str
    display: str
    is_bot: bool = False


@dataclass(frozen=True)
class Attachment:
    """A file of a message: its link (or relative path), name, size and kind."""

    address: str
    name: str
    size_bytes: int
    kind: str = "video"

    @property
    def source(self) -> str:
        """The address of a player: only paths are percent-encoded, a link is kept as it was given."""
        return self.address if self.address.startswith("https://") else quote(self.address)

    @property
    def size(self) -> str:
        """The size in words."""
        for unit, limit in (("MB", 1 << 20), ("KB", 1 << 10)):
            if self.size_bytes >= limit:
                return f"{self.size_bytes / limit:.2f} {unit}"
        return f"{self.size_bytes} bytes"


@dataclass(frozen=True)
class Reply:
    """What stands above a message: a command that was used, or the message it answers."""

    author: Author
    content: str
    message_id: int | None = None


@dataclass(frozen=True)
class Message:
    """One message; ``content`` is HTML (see ``encode`` and ``marked``)."""

    message_id: int
    author: Author
    content: str = ""
    attachments: tuple[Attachment, ...] = ()
    reactions: tuple[tuple[str, str, int], ...] = ()
    reply: Reply | None = None
    edited_ms: int | None = None
    pinned: bool = False
    notice: tuple[str, str] | None = None

    @property
    def timestamp_ms(self) -> int:
        """Milliseconds UTC, from the id."""
        return timestamp_of(self.message_id)


def media_path(folder: str, url: str, name: str) -> str:
    """Return the relative path that ``--media`` gives a file: its name cut, and 5 hex of its link.

    The cut keeps 42 characters, the extension among them.
    """
    suffix = PurePosixPath(name).suffix
    stem = name.removesuffix(suffix)[: 42 - len(suffix)]
    bare = url.partition("?")[0]
    digest = hashlib.sha256(bare.encode()).hexdigest()[:5].upper()
    return f"{folder}/{stem}-{digest}{suffix}"


def encode(text: str) -> str:
    """Return text as .NET's ``WebUtility.HtmlEncode`` writes it (accents of Latin-1 as numbers)."""
    escaped = html.escape(text).replace("&#x27;", "&#39;")
    return re.sub("[\u00a0-\u00ff\U00010000-\U0010ffff]", lambda m: f"&#{ord(m[0])};", escaped)


def mention(author: Author) -> str:
    """Return a mention of a user: the only place where a Pika message names who asked for it."""
    return (
        f'<span class="chatlog__markdown-mention" title="{html.escape(author.name)}">'
        f"@{encode(author.display)}</span>"
    )


def marked(text: str, mark: str, emoji_codes: dict[str, str]) -> str:
    """Return a piece of text under one kind of markdown, as HTML."""
    if mark == "emoji":  # the exporter writes it over several lines
        return (
            f'<img\n    loading="lazy"\n    class="chatlog__emoji "\n    alt="{text}"\n'
            f'    title="{emoji_codes[text]}"\n    src="{_drawing(text)}">'
        )
    return _MARKS.get(mark, f"<{mark}>{{0}}</{mark}>").format(encode(text))


def render_export(
    messages: Sequence[Message], locale: Locale, *, guild: str, channel: str, topic: str
) -> str:
    """Return one export document.

    Args:
        messages: in the order of their ids.
        locale: of the machine that exported.
        guild: the server's name.
        channel: the channel's name, with its category.
        topic: the channel's topic.
    """
    page = jinja2.Environment(autoescape=False)  # each place has its own way of escaping
    page.filters |= {"attribute": _attribute, "drawing": _drawing}
    page.filters |= {"escaped": html.escape, "text": encode}
    lines = _TEMPLATE.read_text(encoding="utf-8").splitlines()
    return page.from_string("".join(line.strip() for line in lines)).render(
        locale=locale,
        guild=guild,
        channel=channel,
        topic=topic,
        groups=_groups(messages),
        count=f"{len(messages):,}",
        zone=f"UTC{locale.utc_offset_h:+d}",
    )


def _groups(messages: Iterable[Message]) -> list[list[Message]]:
    groups: list[list[Message]] = []
    last = None
    for message in messages:
        if (
            last is None
            or message.reply
            or message.notice
            or last.notice
            or message.author != last.author
            or message.timestamp_ms - last.timestamp_ms > GROUP_SPAN_MS
        ):
            groups.append([])
        groups[-1].append(message)
        last = message
    return groups


def _attribute(value: str) -> str:
    """Return an attribute's value as the minifier leaves it: quoted only where it must be."""
    escaped = html.escape(value)
    return f'"{escaped}"' if re.search(r"""[\s"'`=<>?]""", value) or not value else escaped


def _drawing(emoji: str) -> str:
    """Return the address of an emoji's picture."""
    code = "-".join(f"{ord(part):x}" for part in emoji if part != "\ufe0f")
    return f"https://cdn.jsdelivr.net/gh/twitter/twemoji@latest/assets/svg/{code}.svg"
