"""CLIP as OpenAI trained it: features of pictures and texts, rows of length 1."""

from collections.abc import Mapping

import numpy as np
import open_clip
import torch
from open_clip.constants import OPENAI_DATASET_MEAN as OPENAI_MEAN
from open_clip.constants import OPENAI_DATASET_STD as OPENAI_STD
from torch.nn import functional
from torchvision.transforms.functional import normalize

from scripts.common.devices import mixed_precision, pick_device
from scripts.common.errors import UserError
from scripts.common.weight_files import weights_file
from scripts.common.weights import load_into, read_weights


class ClipModel:
    """A CLIP model; in float16 on a GPU, as the benchmarks run it, it is about 1e-3 away."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str,
        *,
        architecture: str | Mapping,
        batch_size: int,
        precision: str = "float32",
    ):
        """Load the model.

        Args:
            weights: ``{hub, revision, file}`` or ``{path}`` of a state as open_clip names it.
            device: ``cpu``, ``cuda`` or ``auto``.
            architecture: open_clip's name (OpenAI's weights need a ``quickgelu`` one), or a
                configuration with ``embed_dim``, ``vision_cfg`` and ``text_cfg``.
            batch_size: pictures per forward pass; it changes no score.
            precision: on a GPU; see ``mixed_precision``.

        Raises:
            UserError: the weights are missing or those of another network.
        """
        path = weights_file(weights)
        network = open_clip.CLIP(**_configuration(architecture))
        load_into(network, read_weights(path), path)
        self._device, self._precision = pick_device(device), precision
        self._network = network.eval().to(self._device)
        self._batch_size = batch_size
        self._context_length = network.context_length
        self._tokenizer = open_clip.SimpleTokenizer(context_length=self._context_length)
        self.dimension = network.visual.output_dim
        size = network.visual.image_size
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
                    batch = normalize(batch.float() / 255, OPENAI_MEAN, OPENAI_STD)
                features = self._network.encode_image(batch)
                batches.append(functional.normalize(features.float(), dim=1).cpu())
        return torch.cat(batches).numpy()

    def embed_text(self, text: str) -> np.ndarray:
        """Return float32 of shape (dimension,); tokens past the context's length are cut."""
        tokens = self._tokenizer([text], context_length=self._context_length)
        with torch.inference_mode():
            features = self._network.encode_text(tokens.to(self._device))
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
            f"open_clip has no architecture '{architecture}'; correct 'settings.architecture'"
        )
    return configuration
