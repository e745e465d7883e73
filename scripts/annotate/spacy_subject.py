"""Subjects by grammar: the thing that a prompt wants to see animated, a stand-in for GPT-4o."""

# ruff: noqa: SIM905 (words in a text read better than a list with a line for each)

import itertools
from collections.abc import Sequence

from spacy.tokens import Doc, Token

from scripts.annotate.spacy_pipeline import PARTICLES, SpacyTagger, is_motion

_TRANSPARENT = frozenset("bunch couple group kind lot pair piece portrait up".split())
"""Nouns that stand for what follows their 'of': 'a pair of horses', 'a close-up of a cat'."""

_STYLE = frozenset(
    """
    angle animation anime art artstation aspect atmosphere background blur brightness camera
    cinema cinematic clarity close closeup clip colour color composition contrast day depth
    detail direction distance dusk dawn effect evening eye-level fantasy film focus footage
    foreground frame fps grading hd hdr hour hyperrealism illustration image jpg k left lens
    lighting look loop masterpiece midnight mood morning motion move movement night oil
    orbit painting palette pan perspective photo photograph photography picture pixel polaroid
    quality ratio realism render resolution reality right scene screen sepia sharpness shot side
    slow speed style surrounding surroundings synthwave texture tilt time timelapse tone
    top uhd ultra video view vintage volumetric way zoom
    """.split()
)
"""Nouns that say how a video looks or how the camera moves."""

_SURROUNDINGS = frozenset(
    """
    air beam breeze cloud dust ember fire flame fog ground hair leaf light lightning mist petal
    rain reflection shadow sky smoke snow snowflake space spark star steam storm sun sunlight
    thunder universe water wave wind
    """.split()
)
"""Nouns that are animated around a subject; they are one only where there is nothing else."""

_PERSONS = frozenset("he she him her his they them i me we us you someone somebody".split())


class SpacySubject(SpacyTagger):
    """Names what a prompt wants to see animated; a SubjectTagger."""

    def tag(self, texts: Sequence[str]) -> list[str]:
        """Return one subject for each text, written as GPT-4o does ('Naval officer').

        The first noun that is neither the look of the video nor its surroundings, before all
        others the grammatical subject of a verb; then surroundings; then 'Person' for a pronoun;
        empty where there is nothing of all this.
        """
        return [_subject(doc) if doc else "" for doc in self.parse(texts)]


def _subject(doc: Doc) -> str:
    nouns = [noun for noun in map(_head, doc) if noun is not None]
    main = [noun for noun in nouns if noun.lemma_.lower() not in _SURROUNDINGS]
    actors = [noun for noun in main if _is_actor(noun)]
    for noun in [*actors, *main, *nouns]:
        return _phrase(noun)
    return "Person" if any(token.lower_ in _PERSONS for token in doc) else ""


def _head(token: Token) -> Token | None:
    """Return the token if it is a noun that can be a subject, with its modifiers before it."""
    if token.pos_ not in ("NOUN", "PROPN") or not token.is_alpha or is_motion(token):
        return None
    lemma, following = token.lemma_.lower(), _next(token)
    if lemma in _STYLE or len(lemma) < 3:
        return None
    if lemma in _TRANSPARENT and following is not None and following.lower_ == "of":
        return None
    # In 'the brick wall' the noun 'wall' counts, unless what follows is a verb of motion.
    if token.dep_ in ("compound", "nmod") and token.head.i > token.i and token.head.pos_ != "VERB":
        between = token.doc[token.i + 1 : token.head.i + 1]
        if not any(is_motion(other) or other.is_punct for other in between):
            return None
    return token


def _is_actor(noun: Token) -> bool:
    if noun.dep_ in ("nsubj", "nsubjpass") and noun.head.pos_ == "VERB" and noun.head.i > noun.i:
        return True
    following = _next(noun)
    if following is None or not is_motion(following):
        return False
    # In 'a photographer in a coat shakes' it is not the coat that does.
    before = reversed(noun.doc[: noun.i])
    clause = itertools.takewhile(lambda token: not token.is_punct, before)
    return not any(token.dep_ == "prep" for token in clause)


def _next(token: Token) -> Token | None:
    return token.nbor(1) if token.i + 1 < len(token.doc) else None


def _phrase(noun: Token) -> str:
    words = [token.text for token in _modifiers(noun)] + [noun.text]
    for child in noun.children:
        if child.lower_ == "of" and child.i == noun.i + 1:
            parts = [grandchild for grandchild in child.subtree if _head(grandchild) is not None]
            if parts:
                words += ["of", *(token.text for token in _modifiers(parts[0])), parts[0].text]
    phrase = " ".join(words).lower()
    return phrase[:1].upper() + phrase[1:]


def _modifiers(noun: Token) -> list[Token]:
    """Return the nouns and adjectives right before a noun, at most two."""
    left: list[Token] = []
    for token in reversed(noun.doc[max(0, noun.i - 2) : noun.i]):
        fits = token.dep_ in ("compound", "amod", "nmod") and token.pos_ in ("NOUN", "PROPN", "ADJ")
        if not fits or not token.is_alpha or token.lower_ in PARTICLES or is_motion(token):
            break
        left.insert(0, token)
    return left
