"""Small exports for tests, in every dress of the layout of 2.34 to 2.47."""

import html
import re
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared" / "exports"
"""Real and made-up exports beside the project, where there are any."""

FIRST_ID = 1136088276353962765


@dataclass(frozen=True)
class Dress:
    """How a version writes tags: quotes, line breaks between tags, a bot's label, the time."""

    quote: str = ""
    gap: str = ""
    label: str = "chatlog__author-tag"
    is_time_linked: bool = True

    def attribute(self, name: str, value: object) -> str:
        bare = re.fullmatch(r"[^\s\"'=<>`?&;]+", str(value))
        quote = self.quote or ("" if bare else '"')
        return f"{name}={quote}{value}{quote}"


MINIFIED = Dress()
DRESSES = {
    "minified": MINIFIED,
    "double quotes": Dress(quote='"'),
    "single quotes": Dress(quote="'"),
    "2.35 to 2.37": Dress(label="chatlog__bot-label"),
    "2.34, not minified": Dress('"', "\n        ", "chatlog__bot-label", is_time_linked=False),
}


@dataclass(frozen=True)
class Said:
    """A message; without ``author`` it is a later one of its group."""

    message_id: int
    author: str | None = None
    is_bot: bool = False
    content: str | None = None
    video: str | None = None
    video_title: str = "Video: clip_seed1.mp4 (2.88 MB)"
    above: str = ""
    notice: str | None = None
    is_edited: bool = False
    below: str = ""
    user_id: int = 7


def typed(text: str) -> str:
    """Return text as .NET's ``WebUtility.HtmlEncode`` writes it."""
    escaped = html.escape(text).replace("&#x27;", "&#39;")
    return re.sub("[\u00a0-\u00ff\U00010000-\U0010ffff]", lambda m: f"&#{ord(m[0])};", escaped)


def mention(name: str, shown: str | None = None) -> str:
    shown = shown or name.title()
    return f'<span class="chatlog__markdown-mention" title="{typed(name)}">@{typed(shown)}</span>'


def emoji(character: str, code: str = "smile") -> str:
    return (
        f'<img\n    loading="lazy"\n    class="chatlog__emoji "\n    alt="{character}"\n'
        f'    title="{code}"\n    src="https://cdn.jsdelivr.net/svg/1f604.svg">'
    )


def used(command: str, user: str, dress: Dress = MINIFIED) -> str:
    """Return what stands above a message that answers a slash command."""
    a = dress.attribute
    return (
        f"<div {a('class', 'chatlog__reply')}><img {a('class', 'chatlog__reply-avatar')} src=a.png>"
        f"<div {a('class', 'chatlog__reply-author')} {a('title', user)}>{user.title()}</div>"
        f"<div {a('class', 'chatlog__reply-content')}>{dress.gap}used /{command}{dress.gap}</div>"
        "</div>"
    )


def replied(content: str, dress: Dress = MINIFIED) -> str:
    """Return what stands above a reply to a message with ``content``."""
    a = dress.attribute
    return (
        f"<div {a('class', 'chatlog__reply')}><img {a('class', 'chatlog__reply-avatar')} src=a.png>"
        f"<div {a('class', 'chatlog__reply-author')} {a('title', 'bob')}>Bob</div>"
        f"<div {a('class', 'chatlog__reply-content')}><span {a('class', 'chatlog__reply-link')} "
        f"onclick=\"scrollToMessage(event,'1')\">{content}</span></div></div>"
    )


def container(said: Said, dress: Dress = MINIFIED) -> str:
    a, gap = dress.attribute, dress.gap
    link = f"#chatlog__message-container-{said.message_id}"
    parts = [
        f"<div {a('id', link[1:])} {a('class', 'chatlog__message-container')} "
        f"{a('data-message-id', said.message_id)}><div {a('class', 'chatlog__message')}>"
    ]
    if said.notice is not None:
        parts.append(
            f"<div {a('class', 'chatlog__message-aside')}>"
            f"<svg {a('class', 'chatlog__system-notification-icon')}><use href=#join-icon></use>"
            f"</svg></div><div {a('class', 'chatlog__message-primary')}>"
            f"<span {a('class', 'chatlog__system-notification-author')} title=x>x</span>"
            f"<span {a('class', 'chatlog__system-notification-content')}>{said.notice}</span></div>"
        )
        return gap.join([*parts, "</div>", "</div>"])
    if said.author is None:
        aside = f"<div {a('class', 'chatlog__short-timestamp')} title=x>12:00</div>"
    else:
        aside = f"<img {a('class', 'chatlog__avatar')} src=a.png alt=Avatar loading=lazy>"
    parts.append(f"<div {a('class', 'chatlog__message-aside')}>{aside}</div>")
    parts.append(f"<div {a('class', 'chatlog__message-primary')}>{said.above}")
    if said.author is not None:
        time = "8/2/2023 12:09 AM"
        if dress.is_time_linked:
            time = f"<a {a('href', link)}>{time}</a>"
        parts.append(
            f"<div {a('class', 'chatlog__header')}>{gap}<span {a('class', 'chatlog__author')} "
            f"{a('title', said.author)} {a('data-user-id', said.user_id)}>{typed(said.author.partition('#')[0])}"
            f"</span> {gap}"
        )
        if said.is_bot:
            parts.append(f"<span {a('class', dress.label)}>BOT</span> ")
        parts.append(f"<span {a('class', 'chatlog__timestamp')}>{time}</span>{gap}</div>")
    if said.content is not None or said.is_edited:
        content = ""
        if said.content is not None:
            content = f"<span {a('class', 'chatlog__markdown-preserve')}>{said.content}</span>"
        if said.is_edited:
            content += f" <span {a('class', 'chatlog__edited-timestamp')} title=x>(edited)</span>"
        parts.append(
            f"<div {a('class', 'chatlog__content chatlog__markdown')}>{gap}{content}{gap}</div>"
        )
    if said.video is not None:
        parts.append(
            f"<div {a('class', 'chatlog__attachment')}>{gap}"
            f"<video {a('class', 'chatlog__attachment-media')} controls>{gap}"
            f'<source src="{typed(said.video)}" alt="Video attachment" '
            f'title="{typed(said.video_title)}">{gap}</video>{gap}</div>'
        )
    return gap.join([*parts, said.below, "</div>", "</div>", "</div>"])


def export(*groups: list[Said], dress: Dress = MINIFIED, declared: str | None = None) -> str:
    """Return an export document; ``declared`` replaces the count of its closing line."""
    a, gap = dress.attribute, dress.gap
    body = "\n".join(
        f"<div {a('class', 'chatlog__message-group')}>{gap}"
        + gap.join(container(said, dress) for said in group)
        + f"{gap}</div>"
        for group in groups
    )
    count = declared or f"{sum(map(len, groups)):,}"
    return (
        "<!DOCTYPE html><html lang=en><head><title>Guild - channel</title>"
        "<style>.chatlog__message-group{margin:0}.chatlog__message-container{margin:0}"
        f".chatlog__message-container--pinned{{margin:0}}</style><body><div {a('class', 'preamble')}>"
        f"<div {a('class', 'preamble__entry')}>Guild</div></div>\n"
        f'<div class="chatlog">\n\n{body}\n\n</div>\n<div {a("class", "postamble")}>'
        f"<div {a('class', 'postamble__entry')}>Exported {count} message(s)</div>"
        f"<div {a('class', 'postamble__entry')}>Timezone: UTC+0</div></div>\n"
    )


def generation(
    number: int, content: str, *, author: str | None = "Pika#6789", video: str = "", **more
) -> Said:
    """Return a message of the bot with a video."""
    location = video or f"https://cdn.discordapp.com/attachments/1/{number}/clip_seed{number}.mp4"
    title = f"Video: clip_seed{number}.mp4 (2.88 MB)"
    return Said(
        message_id=FIRST_ID + number,
        author=author,
        is_bot=author is not None,
        content=content,
        video=location,
        **({"video_title": title} | more),
    )


def with_fields(text: str, user: str = "ann", *, image: bool = True, one_line: bool = False) -> str:
    """Return the content of a generation with fields; ``text`` is HTML."""
    fields = ["Image: 1 Attachment"] if image else []
    separator = "  " if one_line else "\n"
    lines = [f"{mention(user)} Prompt: {text}", *fields, f"Author: {mention(user)}"]
    return separator.join(lines)


def in_bold(text: str, user: str = "ann") -> str:
    """Return the content of a generation in the form without fields; ``text`` is HTML."""
    return f"<strong>{text}</strong> - {mention(user)}"
