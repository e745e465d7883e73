"""VBench's two dimensions on CLIP's features: background consistency and aesthetic quality."""

from collections.abc import Mapping

import numpy as np
import torch

from scripts.common.roles import EvaluationItem
from scripts.common.weight_files import file_beside, weights_file
from scripts.evaluate.frame_transforms import clip_tensors
from scripts.evaluate.similarity import consistency
from scripts.evaluate.unscorable import require_frames
from scripts.models.clip import ClipModel
from scripts.models.weights import load_exactly, read_tensors


class BackgroundConsistency:
    """VBench's recurrence over the features of CLIP ViT-B/32, every frame."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        architecture: str | Mapping = "ViT-B-32-quickgelu",
        batch_size: int = 32,
    ):
        """Load the model; arguments and errors as ``ClipModel``."""
        self._model = ClipModel(weights, device, architecture=architecture, batch_size=batch_size)

    def score(self, item: EvaluationItem) -> float:
        """Return the consistency of all frames, in [0, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 2)
        return consistency(_embed_frames(self._model, item))


class AestheticQuality:
    """The mean over all frames of LAION's linear aesthetic predictor on CLIP ViT-L/14, by 10."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        architecture: str | Mapping = "ViT-L-14-quickgelu",
        batch_size: int = 32,
        clip_path: str = "",
    ):
        """Load the model and the predictor.

        Args:
            weights: CLIP as ``{hub, revision, file}``, and the predictor as ``path``, a linear
                layer's weight and bias.
            device: as ``ClipModel``.
            architecture: as ``ClipModel``.
            batch_size: as ``ClipModel``.
            clip_path: local file with CLIP's weights, in place of the hub's.

        Raises:
            UserError: weights are missing or those of another network.
        """
        clip = {"path": clip_path} if clip_path else weights
        self._model = ClipModel(clip, device, architecture=architecture, batch_size=batch_size)
        path = weights_file(file_beside(weights))
        self._predictor = torch.nn.Linear(self._model.dimension, 1)
        load_exactly(self._predictor, read_tensors(path), path)

    def score(self, item: EvaluationItem) -> float:
        """Return the mean score of the frames, about 0..1 and not clipped."""
        features = torch.from_numpy(_embed_frames(self._model, item))
        with torch.inference_mode():
            return float(self._predictor(features).mean() / 10)


def _embed_frames(model: ClipModel, item: EvaluationItem) -> np.ndarray:
    """Return the features of all frames; dimensions share what both take, pixels or features."""
    size = model.image_size
    pixels = item.shared(("vbench", size), lambda: clip_tensors(item.frames, size))
    return item.shared(("vbench", model.identity), lambda: model.embed_pixels(pixels))
