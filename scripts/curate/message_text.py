"""The content of a Discord message as text: what its author typed, out of the exporter's HTML."""

import html
import re

from scripts.curate.html_tags import ATTRIBUTES, raw_attributes, tag

# Discord allows 4,000 characters; more is damage, and not worth the regular expressions' time.
LONGEST_TEXT = 20_000

# A mention of a user becomes "\x02full name\x03", a bullet of a list "\x04", so that a reader of
# the text can still tell them from typed characters.
MENTION = r"\x02(?P<user>[^\x02\x03]*)\x03"
_BULLET = "\x04"
_MARKS = re.compile("[\x02-\x04]")
_SOMEBODY = "@user"
NOBODY = "Unknown"
"""The name that the exporter gives to users whom it cannot look up."""

_TAG = re.compile(
    tag("span", "chatlog__markdown-mention", "mention") + r"(?P<shown>[^<]*)</span>"
    rf"|<img(?=\s)(?P<image>{ATTRIBUTES})>"
    rf"|</?(?P<name>[a-zA-Z][a-zA-Z0-9]*)\b{ATTRIBUTES}>"
)
_BLOCKS = frozenset({"br", "div", "p", "pre", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"})

# Only an export made with `--markdown false` has these: elsewhere `<` is always encoded.
_TYPED_TAG = re.compile(r"<@!?(?P<user>\d+)>|<(?:@&|#)\d+>|<a?:(?P<emoji>\w+):\d+>")
_TYPED_MARKS = (
    re.compile(r"\*\*(.*?)\*\*", re.DOTALL),
    re.compile(r"(?<!\w)__(.+?)__(?!\w)", re.DOTALL),
    re.compile(r"~~(.+?)~~", re.DOTALL),
    re.compile(r"\|\|(.+?)\|\|", re.DOTALL),
    re.compile(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])"),
    re.compile(r"(?<!\w)_(?=\S)([^_]+?)(?<=\S)_(?!\w)"),
    re.compile(r"`+([^`]+)`+"),
)


def marked_text(content: str) -> str:
    """Return a content's text, white space as it is, with mentions of users as ``MENTION``.

    Entities are decoded, an emoji's picture becomes its ``alt`` (the character; the name of a
    server's own emoji), a link its text, a block a line; marks of markdown are dropped.

    Args:
        content: inner HTML of the content, or the text as typed (``--markdown false``).
    """
    content = _MARKS.sub("", content)
    if "<@" in content and _TYPED_TAG.search(content):
        return _text_as_typed(content)
    return html.unescape(without_tags(content))


def without_tags(content: str) -> str:
    """Return a content's text as ``marked_text`` does, but with its entities."""
    return _TAG.sub(_render, content)


def fold(text: str) -> str:
    """Return marked text as plain text: white space folded, each mention of a user ``@user``.

    No name of a user gets into a prompt in this way.
    """
    text = re.sub(rf"{_BULLET}(?!motion\b|gs\b|ar\b|camera\b|fps\b|seed\b|neg\b)", "", text)
    return " ".join(re.sub(MENTION, _SOMEBODY, text).replace(_BULLET, "- ").split())


def plain_text(content: str) -> str:
    """Return a content's text as ``marked_text`` and ``fold`` make it."""
    return fold(marked_text(content))


def _render(found: re.Match[str]) -> str:
    if found["mention"] is not None:
        name = raw_attributes(found["mention"]).get("title")
        if name is None:  # a role, a channel, everyone: nobody's name
            return found["shown"]
        return f"\x02{'' if name == NOBODY else name}\x03"
    if found["image"] is not None:
        return raw_attributes(found["image"]).get("alt", "")
    if found["name"] == "li":
        return "\n" if found[0].startswith("</") else f"\n{_BULLET}"
    return "\n" if found["name"] in _BLOCKS else ""


def _text_as_typed(content: str) -> str:
    def render(tag: re.Match[str]) -> str:
        return f"\x02{tag['user']}\x03" if tag["user"] else tag["emoji"] or ""

    text = _TYPED_TAG.sub(render, content)
    for mark in _TYPED_MARKS if len(text) <= LONGEST_TEXT else ():
        text = mark.sub(r"\1", text)
    return text
