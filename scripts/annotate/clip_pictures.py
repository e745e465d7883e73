"""CLIP's embeddings of pictures by open_clip (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from huggingface_hub import hf_hub_download
from PIL import Image
from torch.nn import functional

from scripts.annotate.pretrained import load_pretrained
from scripts.common.devices import pick_device
from scripts.common.errors import UserError


class ClipPictures:
    """Embeds pictures; an ImageEmbedder."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        architecture: str = "ViT-B-32-quickgelu",
        batch_size: int = 64,
    ):
        """Load the network.

        Args:
            weights: ``{hub, revision, file}`` or ``{path}`` of a file as open_clip names it.
            device: ``cpu``, ``cuda`` or ``auto``.
            architecture: open_clip's name; OpenAI's weights need a ``quickgelu`` one.
            batch_size: pictures per forward pass; it changes no result.

        Raises:
            UserError: the weights are missing.
        """
        self._device = pick_device(device)
        self._batch_size = batch_size
        network, _, self._prepare = open_clip.create_model_and_transforms(
            architecture, pretrained=str(_file(weights)), device="cpu"
        )
        self._network = network.eval().to(self._device)
        self.dimension = open_clip.get_model_config(architecture)["embed_dim"]

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, dimension), rows of length 1; images are uint8 RGB."""
        vectors = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), self._batch_size):
            batch = images[start : start + self._batch_size]
            pixels = torch.stack([self._prepare(Image.fromarray(image)) for image in batch])
            with torch.inference_mode():
                features = self._network.encode_image(pixels.to(self._device)).float()
            found = functional.normalize(features, dim=1)
            vectors[start : start + len(batch)] = found.cpu().numpy()
        return vectors


def _file(weights: Mapping[str, str] | None) -> Path:
    weights = weights or {}
    if "hub" in weights:
        return Path(load_pretrained(hf_hub_download, weights, filename=weights["file"]))
    path = Path(weights.get("path", ""))
    if not path.is_file():
        raise UserError(f"weights file {path} is missing; put it there or correct 'weights.path'")
    return path
