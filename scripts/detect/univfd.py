"""UnivFD: one linear layer on CLIP's image embedding."""

from collections.abc import Mapping

import open_clip
import torch
from huggingface_hub import hf_hub_download

from scripts.common.errors import UserError
from scripts.detect.checkpoints import load_weights, read_checkpoint
from scripts.detect.picture_classifier import CLIP, PictureClassifier


class UnivFD(PictureClassifier):
    """UnivFD (Ojha, Li and Lee, Towards universal fake image detectors, 2023).

    CLIP's image embedding after the projection, not normalised, and a linear layer.
    """

    normalisation = CLIP

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        architecture: str = "ViT-L-14-quickgelu",
        clip_checkpoint: str | None = None,
        resize: int | None = 256,
        crop: int | None = 224,
        device: str = "auto",
    ):
        """Load CLIP, and the linear layer at ``weights['path']``; the rest as ``PictureClassifier``.

        Args:
            weights: 'path' of the linear layer's state dict; 'hub', 'revision' and 'file' of CLIP.
            architecture: open_clip's name of the CLIP model.
            clip_checkpoint: a local file with CLIP's weights, instead of the hub's.

        Raises:
            UserError: weights are missing or do not fit.
        """
        path = clip_checkpoint or _cached(weights)
        clip = open_clip.create_model(architecture, pretrained=None)
        load_weights(clip, read_checkpoint(path), path)
        layer = torch.nn.Linear(clip.visual.output_dim, 1)
        load_weights(layer, read_checkpoint(weights["path"]), weights["path"])
        super().__init__(
            torch.nn.Sequential(clip.visual, layer), resize=resize, crop=crop, device=device
        )


def _cached(weights: Mapping[str, str]) -> str:
    hub, file, revision = weights["hub"], weights["file"], weights["revision"]
    try:
        return hf_hub_download(hub, file, revision=revision, local_files_only=True)
    except OSError:
        raise UserError(
            f"{file} of {hub} is not in the local cache; fetch it with: hf download {hub} {file} "
            f"--revision {revision}"
        ) from None
