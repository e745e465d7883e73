"""Writes exports as DiscordChatExporter 2.43 does (its MessageGroupTemplate, minified).

Attributes stand without quotes where HTML allows it, each group of messages on one line, and a
message's own line breaks are kept. Only what the demo's channel needs is here.
"""

import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from scripts.demo.times import Locale, timestamp_of

GROUP_SPAN_MS = 7 * 60 * 1000
"""Messages of one author that lie closer together share a group."""

_EMOJI = "https://cdn.jsdelivr.net/gh/twitter/twemoji@latest/assets/svg"


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


def emoji(character: str, code: str) -> str:
    """Return an emoji as the exporter draws it: a tag over several lines."""
    return (
        f'<img\n    loading="lazy"\n    class="chatlog__emoji "\n    alt="{character}"\n'
        f'    title="{code}"\n    src="{_EMOJI}/{_codepoints(character)}.svg">'
    )


def marked(text: str, mark: str, emoji_codes: dict[str, str]) -> str:
    """Return a piece of text under one kind of markdown, as HTML."""
    if mark == "emoji":
        return emoji(text, emoji_codes[text])
    encoded = encode(text)
    if mark == "link":
        return f'<a href="{encoded}">{encoded}</a>'
    if mark == "code":
        return f'<code class="chatlog__markdown-pre chatlog__markdown-pre--inline">{encoded}</code>'
    if mark == "spoiler":
        return (
            '<span class="chatlog__markdown-spoiler chatlog__markdown-spoiler--hidden" '
            f'onclick="showSpoiler(event, this)">{encoded}</span>'
        )
    return encoded if mark == "text" else f"<{mark}>{encoded}</{mark}>"


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
    groups = "\n".join(_group(group, locale) for group in _groups(messages))
    offset = f"UTC{locale.utc_offset_h:+d}"
    return (
        f"<!DOCTYPE html><html lang=en><head><title>{encode(guild)} - {encode(channel)}</title>"
        '<meta charset=utf-8><meta name=viewport content="width=device-width">'
        f"<style>{_STYLE}</style>{_SCRIPT}{_ICONS}"
        "<body><div class=preamble><div class=preamble__entries-container>"
        f"<div class=preamble__entry>{encode(guild)}</div>"
        f"<div class=preamble__entry>{encode(channel)}</div>"
        f'<div class="preamble__entry preamble__entry--small">{encode(topic)}</div></div></div>\n'
        f'<div class="chatlog">\n\n{groups}\n\n</div>\n'
        f"<div class=postamble><div class=postamble__entry>Exported {len(messages):,} message(s)"
        f"</div><div class=postamble__entry>Timezone: {offset}</div></div>\n"
    )


def _groups(messages: Iterable[Message]) -> list[list[Message]]:
    groups: list[list[Message]] = []
    for message in messages:
        last = groups[-1][-1] if groups else None
        joins = (
            last is not None
            and message.reply is None
            and message.notice is None
            and last.notice is None
            and message.author == last.author
            and message.timestamp_ms - last.timestamp_ms <= GROUP_SPAN_MS
        )
        if joins:
            groups[-1].append(message)
        else:
            groups.append([message])
    return groups


def _group(group: list[Message], locale: Locale) -> str:
    parts = [_container(message, locale, first=message is group[0]) for message in group]
    return f"<div class=chatlog__message-group>{''.join(parts)}</div>"


def _container(message: Message, locale: Locale, *, first: bool) -> str:
    number = message.message_id
    name = "chatlog__message-container"
    if message.pinned:
        name = '"chatlog__message-container chatlog__message-container--pinned"'
    body = _notice(message, locale) if message.notice else _body(message, locale, first=first)
    return (
        f"<div id=chatlog__message-container-{number} class={name} data-message-id={number}>"
        f"<div class=chatlog__message>{body}</div></div>"
    )


def _notice(message: Message, locale: Locale) -> str:
    icon, text = message.notice
    when = locale.short(message.timestamp_ms)
    return (
        "<div class=chatlog__message-aside><svg class=chatlog__system-notification-icon>"
        f"<use href=#{icon}></use></svg></div><div class=chatlog__message-primary>"
        f"<span class=chatlog__system-notification-author title={_attribute(message.author.name)} "
        f"data-user-id={message.author.user_id}>{encode(message.author.display)}</span>"
        f"<span> </span><span class=chatlog__system-notification-content>{text}</span>"
        "<span class=chatlog__system-notification-timestamp>"
        f"<a href=#chatlog__message-container-{message.message_id}>{when}</a></span></div>"
    )


def _body(message: Message, locale: Locale, *, first: bool) -> str:
    when = message.timestamp_ms
    if first:
        symbol = "<div class=chatlog__reply-symbol></div>" if message.reply else ""
        aside = symbol + _avatar("chatlog__avatar", 0)
        header = (_reply(message.reply) if message.reply else "") + _header(message, locale)
    else:
        aside = (
            f'<div class=chatlog__short-timestamp title="{locale.long(when)}">'
            f"{locale.time(when)}</div>"
        )
        header = ""
    return (
        f"<div class=chatlog__message-aside>{aside}</div>"
        f"<div class=chatlog__message-primary>{header}{_content(message, locale)}"
        + "".join(map(_attachment, message.attachments))
        + _reactions(message)
        + "</div>"
    )


def _header(message: Message, locale: Locale) -> str:
    author = message.author
    tag = "<span class=chatlog__author-tag>BOT</span> " if author.is_bot else ""
    return (
        f"<div class=chatlog__header><span class=chatlog__author title={_attribute(author.name)} "
        f"data-user-id={author.user_id}>{encode(author.display)}</span> {tag}"
        f'<span class=chatlog__timestamp title="{locale.long(message.timestamp_ms)}">'
        f"<a href=#chatlog__message-container-{message.message_id}>"
        f"{locale.short(message.timestamp_ms)}</a></span></div>"
    )


def _reply(reply: Reply) -> str:
    content = reply.content
    if reply.message_id is not None:
        content = (
            "<span class=chatlog__reply-link onclick=\"scrollToMessage(event,'"
            f"{reply.message_id}')\"> {content} </span>"
        )
    return (
        f"<div class=chatlog__reply>{_avatar('chatlog__reply-avatar', 1)}"
        f"<div class=chatlog__reply-author title={_attribute(reply.author.name)}>"
        f"{encode(reply.author.display)}</div>"
        f"<div class=chatlog__reply-content>{content}</div></div>"
    )


def _content(message: Message, locale: Locale) -> str:
    if not message.content:
        return ""
    edited = ""
    if message.edited_ms is not None:
        when = locale.long(message.edited_ms)
        edited = f' <span class=chatlog__edited-timestamp title="{when}">(edited)</span>'
    return (
        '<div class="chatlog__content chatlog__markdown">'
        f"<span class=chatlog__markdown-preserve>{message.content}</span>{edited}</div>"
    )


def _attachment(attachment: Attachment) -> str:
    # Only paths are percent-encoded: a link is kept as Discord gave it.
    is_link = attachment.address.startswith("https://")
    source = html.escape(attachment.address if is_link else quote(attachment.address))
    size = _size(attachment.size_bytes)
    name = html.escape(attachment.name)
    if attachment.kind == "video":
        inner = (
            f'<video class=chatlog__attachment-media controls><source src="{source}" '
            f'alt="Video attachment" title="Video: {name} ({size})"></video>'
        )
    elif attachment.kind == "image":
        inner = (
            f"<a href={_attribute(attachment.address)}> <img class=chatlog__attachment-media "
            f'src={_attribute(attachment.address)} alt="Image attachment" '
            f'title="Image: {name} ({size})" loading=lazy> </a>'
        )
    else:
        inner = (
            "<div class=chatlog__attachment-generic><svg class=chatlog__attachment-generic-icon>"
            "<use href=#attachment-icon></use></svg><div class=chatlog__attachment-generic-name>"
            f"<a href={_attribute(attachment.address)}>{name}</a></div>"
            f"<div class=chatlog__attachment-generic-size>{size}</div></div>"
        )
    return f"<div class=chatlog__attachment>{inner}</div>"


def _reactions(message: Message) -> str:
    if not message.reactions:
        return ""
    parts = [
        f"<div class=chatlog__reaction title={code}>"
        f'<img class="chatlog__emoji chatlog__emoji--small" alt={character} '
        f"src={_EMOJI}/{_codepoints(character)}.svg loading=lazy> "
        f"<span class=chatlog__reaction-count>{count}</span></div>"
        for character, code, count in message.reactions
    ]
    return f"<div class=chatlog__reactions>{''.join(parts)}</div>"


def _avatar(name: str, number: int) -> str:
    address = f"https://cdn.discordapp.com/embed/avatars/{number}.png"
    return f"<img class={name} src={address} alt=Avatar loading=lazy>"


def _attribute(value: str) -> str:
    """Return an attribute's value as the minifier leaves it: quoted only where it must be."""
    escaped = html.escape(value)
    return f'"{escaped}"' if re.search(r"""[\s"'`=<>?]""", value) or not value else escaped


def _codepoints(character: str) -> str:
    return "-".join(f"{ord(part):x}" for part in character if part != "\ufe0f")


def _size(size_bytes: int) -> str:
    for unit, limit in (("MB", 1 << 20), ("KB", 1 << 10)):
        if size_bytes >= limit:
            return f"{size_bytes / limit:.2f} {unit}"
    return f"{size_bytes} bytes"


_STYLE = (
    "body{margin:0;padding:1rem;background:#36393e;color:#dcddde;font:16px Helvetica,Arial,sans-serif}"
    "a{color:#00aff4;text-decoration:none}.preamble__entry{font-size:1.4rem;color:#fff}"
    ".preamble__entry--small{font-size:1rem}.chatlog__message-group{margin-bottom:1rem}"
    ".chatlog__message{display:grid;grid-template-columns:72px 1fr}.chatlog__avatar{width:40px;"
    "border-radius:50%}.chatlog__reply-avatar{width:16px;border-radius:50%}.chatlog__reply{display:flex;"
    "gap:.3rem;font-size:.9rem;color:#b5b6b8}.chatlog__author{color:#fff}.chatlog__author-tag{"
    "background:#5865f2;color:#fff;font-size:.6rem;padding:.1rem .3rem;border-radius:3px}"
    ".chatlog__timestamp,.chatlog__short-timestamp,.chatlog__edited-timestamp{font-size:.75rem;"
    "color:#a3a6aa}.chatlog__markdown-preserve{white-space:pre-wrap}.chatlog__attachment-media{"
    "max-width:400px}.chatlog__emoji{width:1.3em}.chatlog__reactions{display:flex;gap:.5rem}"
    ".chatlog__system-notification-icon{width:18px;height:18px}"
)

_SCRIPT = """<script>function scrollToMessage(event,id){const element=document.getElementById('chatlog__message-container-'+id);if(!element)
return;event.preventDefault();element.scrollIntoView({behavior:'smooth',block:'center'});}
function showSpoiler(event,element){event.preventDefault();element.classList.remove('chatlog__markdown-spoiler--hidden');}</script>"""

_ICONS = """<svg style=display:none xmlns=http://www.w3.org/2000/svg><defs><symbol id=attachment-icon viewBox="0 0 18 18"><path fill=#7789c4 d="M4 1h7l4 4v12H4z" /></symbol><symbol id=join-icon viewBox="0 0 18 18"><path fill=#3ba55c d="m0 8h14.2l-3.6-3.6 1.4-1.4 6 6-6 6-1.4-1.4 3.6-3.6h-14.2" /></symbol><symbol id=pin-icon viewBox="0 0 18 18"><path fill=#b9bbbe d="M9 1l4 4-3 3v5l-1 4-1-4V8L5 5z" /></symbol><symbol id=pencil-icon viewBox="0 0 18 18"><path fill=#99aab5 d="m0 14.25v3.75h3.75l11.06-11.06-3.75-3.75z" /></symbol><symbol id=thread-icon viewBox="0 0 18 18"><path fill=#b9bbbe d="M3 3h12v9H9l-3 3v-3H3z" /></symbol></defs></svg>"""
