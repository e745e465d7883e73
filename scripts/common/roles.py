"""The protocols behind which every model sits; a backend is any class that fits its role.

Every backend is built as ``Class(weights=entry["weights"], **entry["settings"], device=...)``.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

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

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 of shape (texts, dimension), rows of length 1."""


class ImageEmbedder(Protocol):
    """Embeds image prompts."""

    dimension: int

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, dimension), rows of length 1; images are uint8 RGB."""


class TextSafety(Protocol):
    """Scores how unsafe texts are."""

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Return for each key (such as toxicity) float32 of shape (texts,) in [0, 1]."""


class ImageSafety(Protocol):
    """Scores how unsafe pictures are."""

    def score(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images,) in [0, 1]; images are uint8 RGB."""


class SubjectTagger(Protocol):
    """Names what a prompt wants to see animated."""

    def tag(self, texts: Sequence[str]) -> list[str]:
        """Return one subject for each text; empty where there is none."""


class DirectionTagger(Protocol):
    """Names what a prompt wants to happen."""

    def tag(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the verbs of each text in base form, in order."""


class Generator(Protocol):
    """Animates an image as a text says."""

    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames (uint8 RGB, (frames, height, width, 3), even sides) and the frame rate.

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


class Tracer(Protocol):
    """Describes a picture so that pictures of one source lie together."""

    dimension: int

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, dimension), rows of length 1; images are uint8 RGB."""


@runtime_checkable
class Preparing(Protocol):
    """A tracer whose pictures are made ready in threads, beside its network."""

    def prepare(self, image: np.ndarray) -> Any:
        """Return a picture, uint8 RGB of shape (height, width, 3), as the network takes it."""

    def embed_prepared(self, pictures: Sequence[Any]) -> np.ndarray:
        """Return what ``embed`` does, of pictures that went through ``prepare``."""
