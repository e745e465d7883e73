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

_REFUSAL = re.compile(
    r"\b(?:sorry|apologi[sz]e|as an ai|against .{0,40}(?:policy|policies|guidelines))\b"
    r"|\b(?:can['’]?t|cannot|can not|won['’]?t|will not|unable to|not able to)\b.{0,40}"
    r"\b(?:assist|help|comply|fulfil+|process|provide|continue|do that|extract|discuss|support"
    r"|answer|determine|identify|find)\b"
    r"|^i (?:can['’]?t|cannot|must (?:\w+ )?decline|decline)\b"
    r"|^(?:request denied|content not allowed|inappropriate (?:content|request))$",
    re.IGNORECASE | re.DOTALL,
)
_NOTHING = re.compile(
    r"(?:|no|nothing|empty|n/?a|unknown|unclear|blank|null|undefined|unspecified"
    r"|none(?: (?:found|given|identified|mentioned|present|specified))?"
    r"|(?:the )?(?:subject|verb)? ?(?:is )?not (?:applicable|clear|given|identified|mentioned|specified)"
    r"|(?:there(?: is| are|['’]s) |i (?:see|find) )?(?:no|not any|unknown) (?:\w+ )?"
    r"(?:subjects?|verbs?|actions?)\b.{0,40}"
    r"|(?:(?:the|this) (?:\w+ )?(?:sentence|text|prompt|input)|it|i) "
    r"(?:has|contains|does not|doesn['’]t|do not|don['’]t).{0,20}"
    r"(?:no |any )?(?:subjects?|verbs?).{0,20})",
    re.IGNORECASE,
)
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
    """Return the subject in an answer; empty where the model says in words that there is none.

    A refusal in words is a refusal, any other sentence instead of a name is malformed.
    """
    name = _said(answer)
    if isinstance(name, Rejected):
        return name
    if "\n" in name or len(name) > 60 or len(name.split()) > 6:
        return Rejected("malformed_answer")
    return name[:1].upper() + name[1:]


def parse_verbs(answer: str) -> list[str] | Rejected:
    """Return the verbs in an answer; refusals and non-answers as ``parse_subject`` has them.

    Anything else but verbs between commas is malformed.
    """
    said = _said(answer)
    if isinstance(said, Rejected):
        return said
    verbs = [_bare(part).lower() for part in said.split(",")]
    verbs = [verb for verb in verbs if verb]
    if not all(_WORDS.fullmatch(verb) for verb in verbs):
        return Rejected("malformed_answer")
    return list(dict.fromkeys(verbs))


def _said(answer: str) -> str | Rejected:
    """Return an answer without quotes and full stop; empty if it says that there is nothing."""
    said = _bare(answer)
    if _REFUSAL.search(said):
        return Rejected("refused")
    return "" if _NOTHING.fullmatch(said.strip("()[]<>-– ")) else said


def _bare(text: str) -> str:
    return text.strip().strip("'\"‘’“”`.").strip()
