"""Sentence embeddings by any model of sentence-transformers, from the hub or a folder."""

from collections.abc import Mapping, Sequence

import numpy as np
from sentence_transformers import SentenceTransformer as Model

from scripts.models.devices import mixed_precision, pick_device
from scripts.models.weights import load_pretrained


class SentenceTransformer:
    """Embeds texts; a TextEmbedder."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        batch_size: int = 64,
        precision: str = "float32",
        prompt: str | None = None,
    ):
        """Load the model.

        Args:
            weights: ``{hub, revision}`` or ``{path}`` of a folder in the hub's layout.
            device: ``cpu``, ``cuda`` or ``auto``.
            batch_size: texts per forward pass; texts of like length are put together.
            precision: on a GPU; see ``mixed_precision``.
            prompt: put before each text, for models that were trained with one.

        Raises:
            UserError: the weights are missing.
        """
        self._device, self._precision = pick_device(device), precision
        self._model = load_pretrained(
            Model, weights, device=str(self._device), model_kwargs={"use_safetensors": True}
        )
        self._batch_size, self._prompt = batch_size, prompt
        self.dimension = self._model.get_embedding_dimension()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 of shape (texts, dimension), rows of length 1; long texts are cut."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        with mixed_precision(self._device, self._precision):
            vectors = self._model.encode(
                list(texts),
                batch_size=self._batch_size,
                prompt=self._prompt,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        # Half precision has lengths of 1.000 and a bit.
        vectors = vectors.astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
