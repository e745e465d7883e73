"""The questions that a language model is asked about a prompt, and what counts as an answer."""

import re

from scripts.common.errors import Rejected

DIRECTION_INSTRUCTION = (
    "Extract verbs in a given sentence, return their base form, separated by commas, and do not "
    "return anything else. If there is no verb, please return ' '."
)
"""The paper's prompt (Supplement 10), word for word."""

SUBJECT_INSTRUCTION = (
    "A user wants to turn an image into a video and gives the following text. Name the subject of "
    "the video in at most three words, and do not return anything else. If there is no subject, "
    "please return ' '."
)
"""Ours: the paper's prompt for subjects is not published."""

_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?: [^\W\d_]+(?:['’-][^\W\d_]+)*){0,2}")


def parse_subject(answer: str) -> str | Rejected:
    """Return the subject in an answer; a sentence instead of a name is malformed."""
    name = _bare(answer)
    if "\n" in name or len(name) > 60 or len(name.split()) > 6:
        return Rejected("malformed_answer")
    return name[:1].upper() + name[1:]


def parse_verbs(answer: str) -> list[str] | Rejected:
    """Return the verbs in an answer; anything but verbs between commas is malformed."""
    verbs = [_bare(part).lower() for part in _bare(answer).split(",")]
    verbs = [verb for verb in verbs if verb]
    if not all(_WORDS.fullmatch(verb) for verb in verbs):
        return Rejected("malformed_answer")
    return list(dict.fromkeys(verbs))


def _bare(text: str) -> str:
    return text.strip().strip("'\"‘’“”`.").strip()
