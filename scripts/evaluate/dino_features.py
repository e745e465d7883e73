"""Subject consistency with DINO's features (VBench)."""

from collections.abc import Mapping

import numpy as np
import timm
import torch
from torch.nn import functional

from scripts.common.roles import EvaluationItem
from scripts.common.weight_files import weights_file
from scripts.evaluate.frame_transforms import resize_frames
from scripts.evaluate.similarity import consistency
from scripts.evaluate.unscorable import require_frames
from scripts.models.devices import pick_device
from scripts.models.pixels import IMAGENET, normalise
from scripts.models.weights import load_exactly, read_tensors


class SubjectConsistency:
    """VBench's recurrence over the class tokens of DINO ViT-B/16, every frame.

    Frames keep their proportions (shorter side 224, no crop): the position embeddings are
    interpolated. timm does so with antialiasing and DINO's own code without, a difference of
    about 1e-3 in the features of frames that are not square.
    """

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        architecture: str = "vit_base_patch16_224.dino",
        size: int = 224,
        batch_size: int = 16,
    ):
        """Load the network.

        Args:
            weights: ``{path}`` or ``{hub, revision, file}`` of a Vision Transformer's state.
            device: ``cpu``, ``cuda`` or ``auto``.
            architecture: timm's name of the network.
            size: to which the shorter side is brought, in pixels.
            batch_size: frames per forward pass; it changes no score.

        Raises:
            UserError: the weights are missing or those of another network.
        """
        path = weights_file(weights)
        network = timm.create_model(
            architecture, pretrained=False, num_classes=0, dynamic_img_size=True
        )
        load_exactly(network, read_tensors(path), path)
        self._device = pick_device(device)
        self._network = network.eval().to(self._device)
        self._patch = network.patch_embed.patch_size
        self._size, self._batch_size = size, batch_size

    def score(self, item: EvaluationItem) -> float:
        """Return the consistency of all frames, in [0, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 2)
        return consistency(self.embed(item.frames))

    def embed(self, frames: np.ndarray) -> np.ndarray:
        """Return the class tokens of uint8 RGB frames, float32 (frames, dimension), length 1."""
        features = []
        for start in range(0, len(frames), self._batch_size):
            pixels = resize_frames(frames[start : start + self._batch_size], self._size, "bilinear")
            # A convolution over patches drops what is left over at the right and the bottom.
            height, width = (
                side - side % patch
                for side, patch in zip(pixels.shape[-2:], self._patch, strict=True)
            )
            pixels = normalise(pixels[..., :height, :width], IMAGENET)
            with torch.inference_mode():
                features.append(functional.normalize(self._network(pixels.to(self._device)), dim=1))
        return torch.cat(features).float().cpu().numpy()
