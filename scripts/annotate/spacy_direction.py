"""Directions by part of speech: the verbs of a prompt, a stand-in for GPT-4o (Supplement 10)."""

# ruff: noqa: SIM905 (words in a text read better than a list with a line for each)

from collections.abc import Sequence

from spacy.tokens import Doc, Token

from scripts.annotate.spacy_pipeline import SpacyTagger, base_form, is_motion

_NO_DIRECTION = frozenset("be have do detail surround render spark synthwave".split())
"""Verbs that say how a video looks, or nothing."""


class SpacyDirection(SpacyTagger):
    """Names what a prompt wants to happen; a DirectionTagger."""

    def tag(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the verbs of each text in base form, in order, each once."""
        return [_verbs(doc) if doc else [] for doc in self.parse(texts)]


def _verbs(doc: Doc) -> list[str]:
    found = [base_form(token) for token in doc if _is_verb(token) or is_motion(token)]
    return list(dict.fromkeys(verb for verb in found if verb not in _NO_DIRECTION))


def _is_verb(token: Token) -> bool:
    if token.pos_ != "VERB" or not token.is_alpha:
        return False
    if token.lower_ == "left":
        return False  # 'pans left' is a way to go, not a going away
    following = token.nbor(1).pos_ if token.i + 1 < len(token.doc) else ""
    auxiliaries = any(child.dep_ in ("aux", "auxpass") for child in token.children)
    if not auxiliaries and (token.tag_ == "VBN" or (token.tag_ == "VBD" and following == "NOUN")):
        return False  # 'faded colours', 'a man dressed in red': how it looks, not what happens
    # '1920s look' names a style.
    return not (token.i > 0 and any(letter.isdigit() for letter in token.nbor(-1).text))
