"""CLIP by open_clip: its network, and features of pictures and texts, rows of length 1."""

import json
from collections.abc import Mapping

import numpy as np
import open_clip
import torch
from torch.nn import functional

from scripts.common.errors import UserError
from scripts.common.weight_files import weights_file
from scripts.models.devices import mixed_precision, pick_device
from scripts.models.pixels import OPENAI_CLIP, normalise
from scripts.models.weights import load_exactly, load_once, read_tensors

FILE = "open_clip_model.safetensors"
"""What repositories of the hub call the weights as open_clip names them."""


def load_clip(
    weights: Mapping[str, str] | None, architecture: str | Mapping, device: str
) -> open_clip.CLIP:
    """Return a CLIP network, ready to run; backends of one process share it.

    Args:
        weights: ``{hub, revision, file}`` or ``{path}`` of a state as open_clip names it.
        architecture: open_clip's name (OpenAI's weights need a ``quickgelu`` one), or a
            configuration with ``embed_dim``, ``vision_cfg`` and ``text_cfg``.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        UserError: the weights are missing or those of another network.
    """
    place, path = pick_device(device), weights_file(weights, FILE)
    configuration = _configuration(architecture)

    def load() -> open_clip.CLIP:
        network = open_clip.CLIP(**configuration)
        load_exactly(network, read_tensors(path), path)
        return network.eval().to(place)

    return load_once(load, "clip", json.dumps(configuration, sort_keys=True), path, place)


class ClipModel:
    """A CLIP model; in float16 on a GPU, as the benchmarks run it, it is about 1e-3 away."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        architecture: str | Mapping,
        batch_size: int = 32,
        precision: str = "float32",
    ):
        """Load the model; weights, device, architecture and errors as ``load_clip``.

        Args:
            weights: of the model.
            device: where it runs.
            architecture: of the model.
            batch_size: pictures per forward pass; it changes no score.
            precision: on a GPU; see ``mixed_precision``.
        """
        self.network = load_clip(weights, architecture, device)
        self._device, self._precision = pick_device(device), precision
        self._batch_size = batch_size
        self._context_length = self.network.context_length
        self._tokenizer = open_clip.SimpleTokenizer(context_length=self._context_length)
        self.dimension = self.network.visual.output_dim
        self.identity = (self.network, precision)
        """The same for models that give the same features; ``load_clip`` loads a network once."""
        size = self.network.visual.image_size
        self.image_size = size[0] if isinstance(size, tuple) else size

    def embed_pixels(self, pixels: torch.Tensor) -> np.ndarray:
        """Return float32 of shape (pictures, dimension) for prepared pictures.

        Args:
            pixels: (pictures, 3, side, side): float32 as normalised for CLIP, or uint8, which is
                normalised here: a quarter of the bytes to move to a GPU.
        """
        batches = []
        with torch.inference_mode(), mixed_precision(self._device, self._precision):
            for batch in pixels.split(self._batch_size):
                batch = batch.to(self._device)
                if batch.dtype == torch.uint8:
                    batch = normalise(batch, OPENAI_CLIP)
                features = self.network.encode_image(batch)
                batches.append(functional.normalize(features.float(), dim=1).cpu())
        return torch.cat(batches).numpy()

    def embed_text(self, text: str) -> np.ndarray:
        """Return float32 of shape (dimension,); tokens past the context's length are cut."""
        tokens = self._tokenizer([text], context_length=self._context_length)
        with torch.inference_mode():
            features = self.network.encode_text(tokens.to(self._device))
        return functional.normalize(features.float(), dim=1)[0].cpu().numpy()

    def is_truncated(self, text: str) -> bool:
        """Return whether a text has more tokens than the model reads (77 with both ends)."""
        return len(self._tokenizer.encode(text)) + 2 > self._context_length


def _configuration(architecture: str | Mapping) -> Mapping:
    if not isinstance(architecture, str):
        return architecture
    configuration = open_clip.get_model_config(architecture)
    if configuration is None:
        raise UserError(
            f"open_clip has no model '{architecture}'; correct the architecture in 'settings'"
        )
    return configuration
