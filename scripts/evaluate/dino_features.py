"""Dimensions on DINO's features (VBench): those of all frames are worked out once for all."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import timm
import torch
from torch import nn
from torch.nn import functional
from torchvision.transforms.functional import center_crop

from scripts.common.roles import EvaluationItem
from scripts.common.weight_files import weights_file
from scripts.evaluate.frame_transforms import (
    resize_frames,
    resize_picture,
    resize_with_antialiasing,
    shorter_side_to,
)
from scripts.evaluate.similarity import coherence, consistency, faithfulness
from scripts.evaluate.unscorable import require_frames
from scripts.models.devices import pick_device
from scripts.models.pixels import IMAGENET, normalise
from scripts.models.weights import load_exactly, load_once, read_tensors


class _Dino:
    """The class tokens of DINO ViT-B/16, every frame.

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
        self._device = pick_device(device)
        self._what = (architecture, str(path), str(self._device))
        self._network = load_once(lambda: self._load(architecture, path), "DINO", *self._what)
        self._patch = self._network.patch_embed.patch_size
        self._size, self._batch_size = size, batch_size

    def _load(self, architecture: str, path: Path) -> nn.Module:
        network = timm.create_model(
            architecture, pretrained=False, num_classes=0, dynamic_img_size=True
        )
        load_exactly(network, read_tensors(path), path)
        return network.eval().to(self._device)

    def features(self, item: EvaluationItem) -> np.ndarray:
        """Return ``embed`` of all frames of an item."""
        return item.shared(("DINO", *self._what, self._size), lambda: self.embed(item.frames))

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
            features.append(self._embed(pixels[..., :height, :width]))
        return np.concatenate(features)

    def _embed(self, pixels: torch.Tensor) -> np.ndarray:
        """Return the class tokens of (frames, 3, height, width), 0..255."""
        with torch.inference_mode():
            tokens = self._network(normalise(pixels, IMAGENET).to(self._device))
            return functional.normalize(tokens, dim=1).float().cpu().numpy()


class SubjectConsistency(_Dino):
    """VBench's recurrence over the class tokens of DINO ViT-B/16, every frame."""

    def score(self, item: EvaluationItem) -> float:
        """Return the consistency of all frames, in [0, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 2)
        return consistency(self.features(item))


class LongHorizonCoherence(_Dino):
    """The similarity of frames that lie further and further apart, on the same class tokens."""

    def score(self, item: EvaluationItem) -> float:
        """Return the mean over the distances, in [-1, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 3)
        return coherence(self.features(item))


class ImageFaithfulness(_Dino):
    """VBench-I2V's ``i2v_subject``: image prompt and frames, shorter side 256 and the middle of 224.

    Both are resized with antialiasing, as today's suite does: the image prompt as a picture, the
    frames as tensors of bytes.
    """

    def score(self, item: EvaluationItem) -> float:
        """Return the faithfulness of all frames, in [0, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 2)
        target = shorter_side_to(*item.image.shape[:2], self._size * 8 // 7)
        [image] = self._cropped(resize_picture(item.image, *target)[None])
        return faithfulness(self._cropped(item.frames), image)

    def _cropped(self, frames: np.ndarray) -> np.ndarray:
        """Return the class tokens of the middles of pictures, uint8 (pictures, height, width, 3)."""
        size = shorter_side_to(*frames.shape[1:3], self._size * 8 // 7)
        batches = resize_with_antialiasing(frames, *size, self._batch_size)
        return np.concatenate([self._embed(center_crop(some, [self._size])) for some in batches])
