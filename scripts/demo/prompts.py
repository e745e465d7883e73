"""The demo's prompts: each belongs to one picture, and its action to one motion."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from PIL import Image, ImageOps

from scripts.common.errors import UserError
from scripts.common.identity import derived_seed, normalise_prompt
from scripts.demo.lists import phrases
from scripts.demo.motions import canvas_size
from scripts.demo.scenes import reach, scene
from scripts.demo.subjects import ACTIONS, FOREIGN, QUALITIES, STYLES, SUBJECTS, Subject, View
from scripts.demo.treatments import treat

SIZES = {
    "16:9": (256, 144),
    "9:16": (144, 256),
    "1:1": (192, 192),
    "4:5": (160, 200),
    "5:4": (200, 160),
    "3:2": (240, 160),
}
"""Frame sizes in pixels by aspect ratio; even, as H.264 wants."""

_RATIOS = ("16:9",) * 6 + ("1:1", "1:1", "3:2", "4:5", "5:4", "9:16")


@dataclass(frozen=True)
class Span:
    """A piece of a message's text; ``mark`` is how Discord formats it (text: not at all)."""

    text: str
    mark: str = "text"


@dataclass(frozen=True)
class Picture:
    """How a prompt's picture is cut from a scene: all that makes it different from the others."""

    view: View
    treatment: str
    ratio: str
    zoom: float
    shift: tuple[float, float]
    mirrored: bool


@dataclass(frozen=True)
class Idea:
    """One unique prompt: its text, its picture (None for text-to-video) and its motion."""

    spans: tuple[Span, ...]
    subject: str
    motion: str
    ratio: str
    picture: Picture | None = None

    @property
    def text(self) -> str:
        """The prompt as a reader of the channel sees it."""
        return "".join(span.text for span in self.spans)


def image_ideas(count: int, seed: int) -> list[Idea]:
    """Return ``count`` different image-to-video prompts, subjects shared out by their weights.

    Raises:
        UserError: the lists do not hold so many different prompts.
    """
    quotas = _quotas(count - min(len(FOREIGN), count // 16))
    ideas: list[Idea] = []
    texts: set[str] = set()
    for about, (text,) in list(FOREIGN.items())[: count // 16]:
        name, action = about.split()
        subject = next(subject for subject in SUBJECTS if subject.name == name)
        chance = random.Random(derived_seed(seed, "foreign", text))
        picture = _picture(subject.views[0], "vivid", chance)
        motion = ACTIONS[action].motion
        ideas.append(Idea((Span(text),), subject.name, motion, picture.ratio, picture))
    for subject in SUBJECTS:
        candidates = _candidates(subject, random.Random(derived_seed(seed, "ideas", subject.name)))
        about = f"prompts about '{subject.name}'"
        ideas += different_ideas(candidates, quotas[subject.name], texts, about)
    return ideas


def text_ideas(count: int, seed: int) -> list[Idea]:
    """Return ``count`` different text-to-video prompts; no picture belongs to them.

    Raises:
        UserError: the lists do not hold so many.
    """
    chance = random.Random(derived_seed(seed, "text ideas"))
    return [
        replace(
            idea,
            spans=_marked(idea.text, chance),
            motion=("drift", "zoom")[number % 2],
            ratio=chance.choice(_RATIOS),
        )
        for number, idea in enumerate(
            different_ideas(_texts(chance), count, set(), "text-to-video prompts")
        )
    ]


def _texts(chance: random.Random) -> Iterator[Idea]:
    words = phrases("text to video")
    while True:
        text = f"{chance.choice(words['subject'])} {chance.choice(words['action'])}"
        yield Idea((Span(_joined(text, "", chance)),), "", "", "")


def different_ideas(
    candidates: Iterator[Idea], count: int, seen: set[str], what: str
) -> list[Idea]:
    """Return the first ``count`` ideas whose texts are not among those ``seen``, to which they go."""
    found: list[Idea] = []
    for _ in range(200 * count):
        if len(found) == count:
            break
        idea = next(candidates)
        key = normalise_prompt(idea.text).casefold()
        if key not in seen:
            seen.add(key)
            found.append(idea)
    if len(found) < count:
        raise UserError(
            f"the demo cannot make up {count} different {what}; set curate.demo.generations lower"
        )
    return found


@lru_cache(maxsize=64)
def canvas(picture: Picture) -> Image.Image:
    """Return the picture that ``animate`` moves: cut, mirrored and treated, of ``canvas_size``."""
    whole = scene(picture.view.scene)
    size = SIZES[picture.ratio]
    area, width, height = reach(whole, picture.view.area, size, picture.zoom)
    left, top, right, bottom = area
    x = whole.width * picture.view.focus[0] + width * picture.shift[0]
    y = whole.height * picture.view.focus[1] + height * picture.shift[1]
    x = min(max(x - width / 2, left), right - width)
    y = min(max(y - height / 2, top), bottom - height)
    cut = whole.resize(
        canvas_size(size), Image.Resampling.LANCZOS, box=(x, y, x + width, y + height)
    )
    return treat(ImageOps.mirror(cut) if picture.mirrored else cut, picture.treatment)


def _candidates(subject: Subject, chance: random.Random) -> Iterator[Idea]:
    """Yield prompts about a subject; every treatment and action comes before one is repeated."""
    treatments = _shuffled_cycle(tuple(STYLES), chance)
    actions = _shuffled_cycle(subject.actions, chance)
    views = _shuffled_cycle(subject.views, chance)
    while True:
        view, treatment, name = next(views), next(treatments), next(actions)
        several = bool(subject.plural) and (not subject.singular or chance.random() < 0.22)
        # The first ways to write a subject are the most common ones.
        variants = subject.plural if several else subject.singular
        variant = variants[min(int(chance.expovariate(0.8)), len(variants) - 1)]
        phrase = chance.choice(ACTIONS[name].phrases)
        if "," in phrase or chance.random() < 0.5:
            variant += view.place
        else:
            phrase += view.place
        phrase = phrase.replace("{s}", variant)
        phrase = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", r"\2" if several else r"\1", phrase)
        text = _joined(phrase, chance.choice(STYLES[treatment]), chance)
        picture = _picture(view, treatment, chance)
        spans = _marked(text, chance)
        yield Idea(spans, subject.name, ACTIONS[name].motion, picture.ratio, picture)


def _picture(view: View, treatment: str, chance: random.Random) -> Picture:
    return Picture(
        view=view,
        treatment=treatment,
        ratio=chance.choice(_RATIOS),
        zoom=round(chance.uniform(view.near, 1.0), 3),
        shift=(round(chance.uniform(-0.10, 0.10), 3), round(chance.uniform(-0.08, 0.08), 3)),
        mirrored=chance.random() < 0.5,
    )


def _joined(phrase: str, style: str, chance: random.Random) -> str:
    parts = [phrase, style, chance.choice(QUALITIES) if chance.random() < 0.45 else ""]
    return ", ".join(part for part in parts if part)


def _marked(text: str, chance: random.Random) -> tuple[Span, ...]:
    """Split a prompt into spans; a few prompts get markdown, an emoji or a link."""
    fate = chance.random()
    for limit, mark in ((0.05, "em"), (0.07, "strong"), (0.08, "code"), (0.09, "spoiler")):
        if fate < limit:
            head, comma, tail = text.partition(",")
            before, space, word = head.rpartition(" ")
            spans = (Span(before + space), Span(word, mark), Span(comma + tail))
            return tuple(span for span in spans if span.text)
    if fate < 0.16:
        return (Span(text + " "), Span(chance.choice(tuple(EMOJI)), "emoji"))
    if fate < 0.19:
        return (Span(text + ", "), Span("https://example.com/reference.png", "link"))
    return (Span(text),)


def _quotas(count: int) -> dict[str, int]:
    """Share ``count`` prompts out by the subjects' weights; the remainders go to the largest."""
    total = sum(subject.weight for subject in SUBJECTS)
    quotas = {subject.name: count * subject.weight // total for subject in SUBJECTS}
    for subject in SUBJECTS[: count - sum(quotas.values())]:
        quotas[subject.name] += 1
    return quotas


def _shuffled_cycle(items: tuple, chance: random.Random) -> Iterator:
    while True:
        yield from chance.sample(items, len(items))


EMOJI = {"😄": "smile", "🔥": "fire", "🚀": "rocket", "❤️": "heart", "👍": "thumbsup"}
"""Emoji of the channel and their Discord names."""
