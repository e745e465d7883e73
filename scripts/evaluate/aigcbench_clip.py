"""AIGCBench's three dimensions on CLIP ViT-L/14: temporal consistency and both alignments.

Raw cosines, without CLIP's logit scale, of pictures prepared as OpenAI's own code does.
"""

import itertools
from collections.abc import Iterable, Mapping

import numpy as np

from scripts.common.roles import EvaluationItem
from scripts.evaluate.frame_transforms import clip_pictures, squeeze_to
from scripts.evaluate.similarity import mean_similarity, neighbour_similarity
from scripts.evaluate.unscorable import require_frames
from scripts.models.clip import ClipModel

FIRST_FRAMES = 16
"""Frames from the start that temporal consistency and video-text alignment look at."""


class _ClipDimension:
    """What the three have in common: the model."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        architecture: str | Mapping = "ViT-L-14-quickgelu",
        batch_size: int = 32,
    ):
        """Load the model; arguments and errors as ``ClipModel``."""
        self._model = ClipModel(weights, device, architecture=architecture, batch_size=batch_size)

    def _embed(self, frames: Iterable[np.ndarray]) -> np.ndarray:
        return self._model.embed_pixels(clip_pictures(frames, self._model.image_size))

    def _first_frames(self, item: EvaluationItem) -> np.ndarray:
        """Return the features of the first 16 frames, which dimensions with one network share."""
        return item.shared(
            ("aigcbench", FIRST_FRAMES, self._model.identity),
            lambda: self._embed(item.frames[:FIRST_FRAMES]),
        )


class TemporalConsistency(_ClipDimension):
    """The mean cosine of neighbouring frames among the first 16."""

    def score(self, item: EvaluationItem) -> float:
        """Return the mean of the 15 (or fewer) cosines, in [-1, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 2)
        return neighbour_similarity(self._first_frames(item))


class VideoTextAlignment(_ClipDimension):
    """The mean cosine of the text prompt and each of the first 16 frames."""

    def score(self, item: EvaluationItem) -> float:
        """Return the mean cosine, in [-1, 1]; a long prompt is cut at the model's 77 tokens."""
        return mean_similarity(self._first_frames(item), self._model.embed_text(item.prompt))

    def remark(self, item: EvaluationItem) -> str | None:
        """Say that the prompt was cut: AIGCBench's own code would raise an error for it."""
        return "prompt_truncated" if self._model.is_truncated(item.prompt) else None


class VideoImageAlignment(_ClipDimension):
    """The mean cosine of the image prompt and every frame brought to the image's size."""

    def score(self, item: EvaluationItem) -> float:
        """Return the mean cosine, in [-1, 1]."""
        size = item.image.shape[:2]
        features = self._embed(
            itertools.chain([item.image], (squeeze_to(f, *size) for f in item.frames))
        )
        return mean_similarity(features[1:], features[0])
