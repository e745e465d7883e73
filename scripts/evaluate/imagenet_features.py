"""Dimensions on features of EfficientNet-lite0, whose weights a package carries: offline."""

from collections.abc import Mapping

import numpy as np

from scripts.common.roles import EvaluationItem
from scripts.common.video import uniform_indices
from scripts.evaluate.similarity import consistency, mean_similarity
from scripts.evaluate.unscorable import require_frames
from scripts.models.efficientnet import EfficientNetLite0


class _SampledFrames:
    """What both have in common: features of some frames, of which each is embedded once."""

    def __init__(
        self, weights: Mapping[str, str] | None = None, device: str = "cpu", *, sampled_frames: int
    ):
        """Load the network, which a process has once.

        Args:
            weights: as ``EfficientNetLite0`` takes them.
            device: as ``EfficientNetLite0`` takes it.
            sampled_frames: frames that are compared, spread evenly from the first to the last;
                the benchmarks compare all, which would take 2 s of one core for a video of 72 frames.
        """
        self._embedder = EfficientNetLite0(weights, device)
        self._sampled_frames = sampled_frames

    def _embed(self, item: EvaluationItem) -> np.ndarray:
        """Return the features of frames from the first to the last, or of all if there are fewer."""
        total = len(item.frames)
        wanted = uniform_indices(total, min(self._sampled_frames, total))
        known = item.shared(("frames", self._embedder.network), dict)
        left = [number for number in wanted if number not in known]
        known.update(
            zip(left, self._embedder.embed([item.frames[number] for number in left]), strict=True)
        )
        return np.stack([known[number] for number in wanted])


class SubjectConsistencyEmbedded(_SampledFrames):
    """VBench's recurrence with features of EfficientNet-lite0 in place of DINO's."""

    def score(self, item: EvaluationItem) -> float:
        """Return the consistency of the sampled frames, in [0, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 2)
        return consistency(self._embed(item))


class VideoImageAlignmentEmbedded(_SampledFrames):
    """AIGCBench's mean similarity to the image prompt, with features of EfficientNet-lite0.

    The network sees each picture squeezed to a square, so that bringing the frames to the image's
    size first, as AIGCBench does, would change nothing but the interpolation.
    """

    def score(self, item: EvaluationItem) -> float:
        """Return the mean cosine of the sampled frames and the image prompt, in [-1, 1]."""
        [image] = self._embedder.embed([item.image])
        return mean_similarity(self._embed(item), image)
