"""The protocols behind which every model sits; a backend is any class that fits its role.

Every backend is built as ``Class(weights=entry["weights"], **entry["settings"], device=...)``. A
type checker holds each class that a sheet names to its protocol (``tests/common/test_roles.py``), and
callers to what the protocols say.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from scripts.common.errors import Rejected

Shared = TypeVar("Shared")


@dataclass(frozen=True)
class EvaluationItem:
    """One video to be evaluated, with the prompts it was made from.

    Attributes:
        frames: uint8 RGB of shape (frames, height, width, 3).
        fps: the container's frame rate in 1/s.
        prompt: the text prompt.
        image: the image prompt, uint8 RGB of shape (height, width, 3).
    """

    frames: np.ndarray
    fps: float
    prompt: str
    image: np.ndarray
    _shared: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def shared(self, what: Hashable, make: Callable[[], Shared]) -> Shared:
        """Return what several dimensions need of an item, such as features: made once for all.

        Args:
            what: names it: all that decides it, such as the network and its input.
            make: makes it where no dimension did so before.
        """
        if what not in self._shared:
            self._shared[what] = make()
        return self._shared[what]


class TextEmbedder(Protocol):
    """Embeds text prompts."""

    dimension: int

    def embed(self, texts: Sequence[str]) -> np.ndarray | Sequence[np.ndarray | Rejected]:
        """Return float32 of shape (texts, dimension), rows of length 1.

        What cannot be embedded (an endpoint refuses it) is ``Rejected`` in place of its row.
        """


class ImageEmbedder(Protocol):
    """Embeds image prompts."""

    dimension: int

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, dimension), rows of length 1; images are uint8 RGB."""


class TextSafety(Protocol):
    """Scores how unsafe texts are.

    Attributes:
        released: key of the score that the data set has.
    """

    released: str

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Return for each key (such as toxicity) float32 of shape (texts,) in [0, 1]."""


class ImageSafety(Protocol):
    """Scores how unsafe pictures are.

    Attributes:
        threshold: score from which on a picture is NSFW.
    """

    threshold: float

    def score(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images,) in [0, 1]; images are uint8 RGB."""


class SubjectTagger(Protocol):
    """Names what a prompt wants to see animated."""

    def tag(self, texts: Sequence[str]) -> Sequence[str | Rejected]:
        """Return one subject for each text, empty where there is none; or why it has no answer."""


class DirectionTagger(Protocol):
    """Names what a prompt wants to happen."""

    def tag(self, texts: Sequence[str]) -> Sequence[Sequence[str] | Rejected]:
        """Return the verbs of each text in base form, in order; or why it has no answer."""


class Endpoint(Protocol):
    """A model behind an endpoint, which is asked and paid for in place of its role's own call.

    It is built with ``service``, ``folder`` and ``account`` in place of ``device``.

    Attributes:
        account: to which the costs are booked, if there is one.
    """

    account: Any

    def estimate(self, texts: Mapping[str, str]) -> Mapping[str, float]:
        """Return what each text will cost in US dollars, by the item's id; nothing is sent."""

    def submit(self, texts: Mapping[str, str]) -> int:
        """Send texts by the batch API and wait for nothing; return how many are in flight.

        Raises:
            UserError: the budget does not cover them, or the endpoint does not work.
        """

    def answer(
        self, texts: Mapping[str, str], keep: Callable[[], None]
    ) -> Iterable[tuple[str, Any]]:
        """Yield item and value, or ``Rejected``, as answers come; ``keep`` puts them on disk.

        Raises:
            UserError: the budget does not cover them, or the endpoint does not work.
        """


class PreparesPictures(Protocol):
    """A backend of pictures whose call also takes those that threads have prepared."""

    def prepare(self, image: np.ndarray, /) -> Any:
        """Return a picture, uint8 RGB of shape (height, width, 3), as the network takes it."""


class Sound(NamedTuple):
    """What is heard of a video: float32 in [-1, 1] of shape (1 or 2 channels, samples), 1/s."""

    samples: np.ndarray
    rate: int


class Generator(Protocol):
    """Animates an image as a text says."""

    def generate(
        self, image: np.ndarray, prompt: str, *, seed: int
    ) -> tuple[np.ndarray, float] | tuple[np.ndarray, float, Sound]:
        """Return frames (uint8 RGB, (frames, height, width, 3), even sides), their rate, and sound.

        Args:
            image: the image prompt, uint8 RGB of shape (height, width, 3).
            prompt: the text prompt.
            seed: of this item; the same seed gives the same video.
        """


class Dimension(Protocol):
    """Scores one aspect of a video."""

    def score(self, item: EvaluationItem) -> float:
        """Return the item's score.

        Raises:
            Rejected: the item cannot be scored.
        """


@runtime_checkable
class Remarking(Protocol):
    """A dimension that has something to say of items that it scored."""

    def remark(self, item: EvaluationItem) -> str | None:
        """Return a remark of ``REMARKS``, or None."""


class Detector(Protocol):
    """Says how likely a picture is generated."""

    def score(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images,) in [0, 1], 1 for generated; images are uint8 RGB."""


class ClipDetector(Protocol):
    """Says how likely a video is generated, by a clip of it; fitted on training videos first."""

    @classmethod
    def seen_frames(cls, frames: int, fps: float) -> list[int]:
        """Return which frames of a video of so many its clip has; no weights are needed.

        Raises:
            Rejected: the video has no such clip.
        """

    def prepare(self, frames: np.ndarray, /) -> Any:
        """Return a clip, uint8 RGB of shape (frames, height, width, 3), as the network takes it."""

    def describe(self, clips: Sequence[Any]) -> np.ndarray:
        """Return float of shape (clips, numbers) of prepared clips, from which it learns."""

    def fit(self, numbers: np.ndarray, generated: np.ndarray, path: Path, *, seed: int) -> None:
        """Write what is fitted on videos' numbers, of which some are generated."""

    def fitted(self, path: Path) -> "ClipDetector":
        """Return the detector with what ``fit`` wrote."""

    def score(self, clips: Sequence[Any]) -> np.ndarray:
        """Return float of shape (clips,) in [0, 1], 1 for generated, of prepared clips."""


class VideoClassifier(Protocol):
    """A detector that is trained on videos; how it trains and reads clips is its own."""

    @property
    def train(self) -> Callable[..., Any]:
        """The method that trains on videos and writes a model."""

    @property
    def classify(self) -> Callable[..., Iterable[Any]]:
        """The method that gives the probability of each class for each clip of each video."""

    def read_model(self, weights: Path) -> Any:
        """Return a model that ``train`` wrote, ready to classify."""


class Tracer(ImageEmbedder, Protocol):
    """Describes a picture so that pictures of one source lie together."""


@runtime_checkable
class Preparing(Protocol):
    """A tracer whose pictures are made ready in threads, beside its network."""

    def prepare(self, image: np.ndarray, squares: dict[Hashable, np.ndarray] | None = None) -> Any:
        """Return a picture as the network takes it; ``squares`` are what others made of it."""

    def embed_prepared(self, pictures: Sequence[Any]) -> np.ndarray:
        """Return what ``embed`` does, of pictures that went through ``prepare``."""


class Matcher(Protocol):
    """Says how likely one picture is a copy of another, from both seen at once."""

    def prepare(self, image: np.ndarray, /) -> Any:
        """Return a picture, uint8 RGB of shape (height, width, 3), as the network takes it."""

    def match(self, pairs: Sequence[tuple[Any, Any]]) -> np.ndarray:
        """Return float32 of shape (pairs,) in [0, 1], 1 for a copy, of prepared pictures."""
