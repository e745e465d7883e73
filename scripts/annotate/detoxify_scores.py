"""Detoxify: toxicity of texts (Section 3; Hanu and Unitary, https://github.com/unitaryai/detoxify).

Its package unpickles checkpoints, which runs whatever code is in them; the authors' repository on
the hub has the same network as safetensors. A test holds the two against each other.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from scripts.common.errors import UserError
from scripts.models.devices import mixed_precision, pick_device
from scripts.models.weights import load_pretrained


class Detoxify:
    """Scores how unsafe texts are, one sigmoid per key; a TextSafety."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        keys: Sequence[str] | None = None,
        released: str = "toxicity",
        batch_size: int = 64,
        precision: str = "float32",
    ):
        """Load the network and its tokenizer.

        Args:
            weights: ``{hub, revision}`` or ``{path}`` of a folder in the hub's layout.
            device: ``cpu``, ``cuda`` or ``auto``.
            keys: the scores to keep; all labels of the network by default. The 'unbiased' one
                also labels who is spoken of (male, muslim, ...), which says nothing on safety.
            released: the score that becomes ``Text_NSFW``.
            batch_size: texts per forward pass; texts of like length are put together.
            precision: on a GPU; see ``mixed_precision``.

        Raises:
            UserError: the weights are missing, or have no such key.
        """
        self._device, self._precision = pick_device(device), precision
        self._tokenizer = load_pretrained(AutoTokenizer.from_pretrained, weights)
        network = load_pretrained(
            AutoModelForSequenceClassification.from_pretrained, weights, use_safetensors=True
        )
        self._network = network.eval().to(self._device)
        # RoBERTa counts positions from 2.
        positions = network.config.max_position_embeddings - 2
        self._max_tokens = min(positions, self._tokenizer.model_max_length)
        names = network.config.id2label
        labels = {names[number]: number for number in sorted(names)}
        self._keys = list(keys or labels)
        for key in (*self._keys, released):
            if key not in labels:
                raise UserError(
                    f"Detoxify has no key '{key}'; it has {', '.join(labels)}; correct the entry's "
                    "settings"
                )
        self._columns = [labels[key] for key in self._keys]
        self._batch_size = batch_size
        self.released = released

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Return for each key float32 of shape (texts,) in [0, 1]; long texts are cut."""
        scores = np.empty((len(texts), len(self._keys)), np.float32)
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for start in range(0, len(texts), self._batch_size):
            numbers = order[start : start + self._batch_size]
            tokens = self._tokenizer(
                [texts[number] for number in numbers],
                return_tensors="pt",
                truncation=True,
                max_length=self._max_tokens,
                padding=True,
            )
            with torch.inference_mode(), mixed_precision(self._device, self._precision):
                logits = self._network(**tokens.to(self._device)).logits.float()
            scores[numbers] = torch.sigmoid(logits)[:, self._columns].cpu().numpy()
        return {key: scores[:, number] for number, key in enumerate(self._keys)}
