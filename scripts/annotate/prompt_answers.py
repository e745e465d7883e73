"""The questions that a language model is asked about a prompt, and what counts as an answer.

The paper's prompt for subjects is not published: ours is ``annotate.subject_prompt``.
"""

import re

from scripts.common.errors import Rejected, UserError

DIRECTION_INSTRUCTION = (
    "Extract verbs in a given sentence, return their base form, separated by commas, and do not "
    "return anything else. If there is no verb, please return ' '."
)
"""The paper's prompt (Supplement 10), word for word."""

_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?: [^\W\d_]+(?:['’-][^\W\d_]+)*){0,2}")


def subject_question(question: str | None) -> str:
    """Return what a model is asked for a subject.

    Raises:
        UserError: the entry does not say where that stands.
    """
    if not question:
        raise UserError(
            "the entry has no question to ask for subjects; give it 'question: subject_prompt', "
            "the key of the configuration with its text"
        )
    return question


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
