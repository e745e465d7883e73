"""UnivFD: one linear layer on CLIP's image embedding."""

from collections.abc import Mapping
from typing import Any

import torch

from scripts.detect.picture_classifier import PictureClassifier
from scripts.models.clip import load_clip
from scripts.models.pixels import OPENAI_CLIP
from scripts.models.weights import load_exactly, read_tensors


class UnivFD(PictureClassifier):
    """UnivFD (Ojha, Li and Lee, Towards universal fake image detectors, 2023).

    CLIP's image embedding after the projection, not normalised, and a linear layer.
    """

    normalisation = OPENAI_CLIP

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        architecture: str = "ViT-L-14-quickgelu",
        clip_checkpoint: str | None = None,
        device: str = "auto",
        **settings: Any,
    ):
        """Load CLIP, and the linear layer at ``weights['path']``; the rest as ``PictureClassifier``.

        Args:
            weights: 'path' of the linear layer's state dict; 'hub', 'revision' and 'file' of CLIP.
            architecture: open_clip's name of the CLIP model.
            clip_checkpoint: a local file with CLIP's weights, instead of the hub's.

        Raises:
            UserError: weights are missing or do not fit.
        """
        place = {"path": clip_checkpoint} if clip_checkpoint else weights
        clip = load_clip(place, architecture, device)
        layer = torch.nn.Linear(clip.visual.output_dim, 1)
        load_exactly(layer, read_tensors(weights["path"]), weights["path"])
        super().__init__(torch.nn.Sequential(clip.visual, layer), device=device, **settings)
