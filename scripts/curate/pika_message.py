"""Messages of the Pika bot: the prompt as it was typed, its parameters, who asked for it.

Three forms are known: ``@user Prompt: TEXT`` with fields ``Image:``, ``Message:`` and ``Author:``
on lines of their own, the same on one line, and ``**TEXT** - @user``. Every function is pure.
"""

import re
from typing import NamedTuple

from scripts.curate.html_tags import tag
from scripts.curate.message_text import LONGEST_TEXT, MENTION, fold, marked_text
from scripts.curate.pika_parameters import Parameters, split_parameters

IMAGE_TO_VIDEO = "image_to_video"
TEXT_TO_VIDEO = "text_to_video"
UNKNOWN = "unknown"
KINDS = (IMAGE_TO_VIDEO, TEXT_TO_VIDEO, UNKNOWN)

_PROMPT = re.compile(rf"\s*(?:{MENTION})?\s*Prompt:")
_AUTHOR = re.compile(rf"Author:(?<!\SAuthor:)\s*(?:{MENTION})?")
_FIELDS = {
    "Image:": re.compile(r"\s*\d+\s+Attachments?\s*"),
    "Message:": re.compile(r"\s*(?:\d+\s+Attachments?|.*\(Font:[^()]*\))\s*", re.DOTALL),
}
_BOLD = re.compile(
    rf"\s*(?:{tag('span', 'chatlog__markdown-mention')}[^<]*</span>\s*|<@!?\d+>\s*)?"
    r"(?:<strong>|\*\*)"
)
_SIGNATURE = re.compile(rf"-(?<!\S-)\s*{MENTION}")


class Generation(NamedTuple):
    """What a message of the bot says of one video.

    ``prompt`` is '' where a picture was animated without one. ``requester`` is the full name of
    the user who asked for it (the numeric id in an export that has only ``<@id>``), or None.
    """

    prompt: str
    kind: str
    requester: str | None
    parameters: Parameters = Parameters()


def read_generation(content: str) -> Generation | None:
    """Return the generation that a message's content describes; None if it describes none.

    The kind is image-to-video if the message names an attached image; text-to-video if it has all
    its fields and names none; unknown in the form without fields.

    Args:
        content: inner HTML of the content, or the text as typed (``--markdown false``).
    """
    text = marked_text(content)
    if len(text) > LONGEST_TEXT:
        return None
    found = _find_fields(text) or _find_bold(text, is_bold=bool(_BOLD.match(content)))
    if found is None:
        return None
    typed, kind, requester = found
    prompt, parameters = split_parameters(fold(typed))
    return Generation(prompt, kind, requester, parameters)


def _find_fields(text: str) -> tuple[str, str, str | None] | None:
    """Return (what was typed, kind, requester) of ``@user Prompt: ... Author: @user``."""
    start = _PROMPT.match(text)
    if start is None:
        return None
    body = text[start.end() :]
    # The last one that names somebody: a prompt may hold the word, a notice may follow.
    authors = [None, *_AUTHOR.finditer(body)]
    named = [None, *(found for found in authors if found and found["user"] is not None)]
    author = named[-1] or authors[-1]
    signature = None if author else [None, *_SIGNATURE.finditer(body)][-1]
    end = author or signature
    typed, labels = cut_fields(body[: end.start()] if end else body)
    if "Image:" in labels:
        kind = IMAGE_TO_VIDEO
    else:
        kind = TEXT_TO_VIDEO if author else UNKNOWN
    return typed, kind, (end and end["user"]) or start["user"] or None


def _find_bold(text: str, *, is_bold: bool) -> tuple[str, str, str | None] | None:
    """Return (what was typed, kind, requester) of ``**prompt** - @user``."""
    signature = [None, *_SIGNATURE.finditer(text)][-1]
    typed = text[: signature.start()] if signature else text
    if not is_bold and (signature is None or typed.strip()):
        return None
    typed, labels = cut_fields(typed)
    if signature:
        labels |= cut_fields(text[signature.end() :])[1]
    leading = re.match(rf"\s*{MENTION}", typed)
    if leading:
        typed = typed[leading.end() :]
    requester = (signature and signature["user"]) or (leading and leading["user"]) or None
    return typed, IMAGE_TO_VIDEO if "Image:" in labels else UNKNOWN, requester


def cut_fields(text: str) -> tuple[str, set[str]]:
    """Cut the fields off the end of a text; return what is left, and the fields' labels."""
    labels = set()
    while True:
        for label, value in _FIELDS.items():
            before, found, after = text.rpartition(label)
            if found and value.fullmatch(after) and (not before or before[-1].isspace()):
                text = before
                labels.add(label)
                break
        else:
            return text, labels
