"""Plans the generations of the demo's channel: who asks for what, how it is written, what breaks."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from scripts.common.identity import derived_seed
from scripts.demo.export_html import Author
from scripts.demo.motions import MOTIONS
from scripts.demo.prompts import Idea, Span, image_ideas, text_ideas

FAULTS = ("missing_file", "undecodable", "truncated", "empty_file", "expired_link")
"""What is broken in a few generations: no file; random bytes; half a file; no bytes; a dead link."""

LAYOUTS = ("lines", "bold", "one_line", "old")
"""Ways in which the bot wrote its messages; the old one does not tell the kind."""

_CAMERA = {
    name: (name.replace("_", " "),)
    for name in MOTIONS
    if name.startswith(("zoom", "pan", "rotate"))
} | {"fly": ("pan up", "pan left")}
_SPELLINGS = ("-", "-", "-", "--", "- ")
_NEGATIVE = ("blurry, ugly", "text, watermark, low quality", "bad hands")


@dataclass(frozen=True)
class Generation:
    """One generation: what was asked, how the bot's message reads, and the seed of its motion.

    ``parameters`` holds the keys of the truth: motion, guidance_scale, aspect_ratio, camera, fps,
    seed, negative_prompt.
    """

    idea: Idea
    kind: str
    layout: str
    requester: Author
    motion_seed: int
    parameters: dict = field(default_factory=dict)
    spelling: str = "-"
    spacing: str = ""
    bracket: bool = False
    hidden_message: str = ""
    fault: str = ""

    @property
    def strength(self) -> float:
        """How strongly the video moves: from the parameter ``motion``, 1 if it is not given."""
        return (0.35, 0.6, 0.75, 0.9, 1.0)[self.parameters.get("motion", 1)]

    @property
    def file_name(self) -> str:
        """The name that the bot gives the video."""
        stem = re.sub("[^A-Za-z0-9]", "_", self.raw_text.strip())[:60] or "video"
        return f"{stem}_seed{self.motion_seed}.mp4"

    @property
    def raw_spans(self) -> tuple[Span, ...]:
        """The prompt as it was typed: with the odd line break or run of spaces."""
        return tuple(
            replace(span, text=_respaced(span.text, self.spacing)) if span.mark == "text" else span
            for span in self.idea.spans
        )

    @property
    def raw_text(self) -> str:
        """``raw_spans`` as plain text."""
        return "".join(span.text for span in self.raw_spans)

    def parameter_text(self) -> str:
        """The parameters as they were typed after the prompt; the negative prompt comes last."""
        words = {
            "motion": ("motion", str),
            "guidance_scale": ("gs", lambda value: f"{value:g}"),
            "aspect_ratio": ("ar", str),
            "camera": ("camera", _camera_words),
            "fps": ("fps", str),
            "seed": ("seed", str),
            "negative_prompt": ("neg", str),
        }
        return "".join(
            f" {self.spelling}{option} {write(self.parameters[name])}"
            for name, (option, write) in words.items()
            if name in self.parameters
        )


def plan_generations(count: int, seed: int, users: Sequence[Author]) -> list[Generation]:
    """Return ``count`` generations in the order of time.

    Two thirds are unique image-to-video prompts, of which a few break; the others are text-to-video
    ones (15 in 100), ones without a prompt (2 in 100), and retries with another seed.
    """
    chance = random.Random(derived_seed(seed, "generations"))
    unique, text, empty = 2 * count // 3, round(0.15 * count), max(1, count // 50)
    ideas = image_ideas(unique, seed)
    broken = dict(zip(_breakable(ideas, count, seed), _faults(count), strict=True))
    timed: list[tuple[float, Generation]] = []
    for number, idea in enumerate(ideas):
        start, fault = chance.random(), broken.get(number, "")
        asked = _generation(idea, "image_to_video", chance, users, layouts=LAYOUTS, fault=fault)
        timed.append((start, asked))
    originals = [(start, generation) for start, generation in timed if not generation.fault]
    texts = text_ideas(max(1, 4 * text // 5), seed)
    texts += [chance.choice(texts) for _ in range(text - len(texts))]
    for idea in texts:
        timed.append((chance.random(), _generation(idea, "text_to_video", chance, users)))
    for _ in range(empty):
        idea = replace(chance.choice(ideas), spans=())
        timed.append((chance.random(), _generation(idea, "image_to_video", chance, users)))
    while len(timed) < count:
        # Popular prompts are retried more than once, most of them soon after: the same again with
        # another seed, as the button under a video does.
        start, original = originals[int(len(originals) * chance.random() ** 1.6)]
        start += chance.expovariate(40)
        parameters = {key: one for key, one in original.parameters.items() if key != "seed"}
        again = chance.randrange(10**16, 10**18)
        retry = replace(original, parameters=parameters, motion_seed=again, spacing="")
        timed.append((start, retry))
    return [generation for _, generation in sorted(timed, key=itemgetter(0))]


def _faults(count: int) -> list[str]:
    number = max(len(FAULTS), count // 45)
    return [FAULTS[index % len(FAULTS)] for index in range(number)]


def _breakable(ideas: Sequence[Idea], count: int, seed: int) -> list[int]:
    """Return which prompts break: those of the most popular subjects, which can spare them."""
    popular = [number for number, idea in enumerate(ideas) if idea.subject in ("astronaut", "cat")]
    others = [number for number in range(len(ideas)) if number not in popular]
    wanted = len(_faults(count))
    chance = random.Random(derived_seed(seed, "faults"))
    chosen = chance.sample(popular, min(wanted, len(popular) // 2))
    return chosen + chance.sample(others, wanted - len(chosen))


def _generation(
    idea: Idea,
    kind: str,
    chance: random.Random,
    users: Sequence[Author],
    *,
    layouts: Sequence[str] = LAYOUTS[:3],
    fault: str = "",
) -> Generation:
    layout = chance.choices(layouts, (4, 4, 2, 1.4)[: len(layouts)])[0]
    parameters = _parameters(idea, chance)
    generation = Generation(
        idea=idea,
        kind="unknown" if layout == "old" else kind,
        layout=layout,
        # A few people ask for most of the videos.
        requester=users[int(len(users) * chance.random() ** 2)],
        motion_seed=parameters.get("seed") or chance.randrange(10**16, 10**18),
        parameters=parameters,
        spelling=chance.choice(_SPELLINGS),
        spacing=chance.choices(("", "wide", "break"), (90, 6, 4))[0],
        bracket=chance.random() < 0.2,
        fault=fault,
    )
    if kind == "text_to_video" and layout != "one_line" and chance.random() < 0.06:
        return replace(generation, hidden_message="Hello (Font: BAUHAUS)")
    return generation


def _parameters(idea: Idea, chance: random.Random) -> dict:
    parameters = {}
    if chance.random() < 0.45:
        parameters["motion"] = chance.randrange(5)
    if chance.random() < 0.35:
        parameters["guidance_scale"] = chance.choice((8.0, 10.0, 12.0, 15.5, 20.0, 24.0))
    if idea.ratio != "16:9" or chance.random() < 0.25:
        parameters["aspect_ratio"] = idea.ratio
    if idea.motion in _CAMERA and chance.random() < 0.5:
        parameters["camera"] = list(_CAMERA[idea.motion])
    if chance.random() < 0.15:
        parameters["fps"] = chance.choice((8, 16, 24))
    if chance.random() < 0.15:
        parameters["seed"] = chance.randrange(10**8, 10**9)
    if chance.random() < 0.2:
        parameters["negative_prompt"] = chance.choice(_NEGATIVE)
    return parameters


def _camera_words(moves: Sequence[str]) -> str:
    """``pan up`` and ``pan left`` are written ``pan up left``."""
    kind = moves[0].split(" ")[0]
    return " ".join([kind, *(move.removeprefix(f"{kind} ") for move in moves)])


def _respaced(text: str, spacing: str) -> str:
    if spacing == "wide":
        return text.replace(" ", "  ", 1)
    return text.replace(", ", ",\n", 1) if spacing == "break" else text
