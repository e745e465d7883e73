"""What follows a network's features: pooling, and layers read from a checkpoint by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from scripts.common.errors import UserError
from scripts.models.weights import State


class GeneralisedMean(nn.Module):
    """Pools a map of features by its generalised mean (GeM): power 1 is the mean."""

    def __init__(self, power: float, floor: float = 1e-6):
        super().__init__()
        self._power, self._floor = power, floor

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels) of (batch, channels, height, width)."""
        raised = features.clamp(min=self._floor) ** self._power
        return raised.mean(dim=(2, 3)) ** (1 / self._power)


class Tokens(nn.Module):
    """Takes a Vision Transformer's tokens from a number on as one vector, such as all patches'."""

    def __init__(self, first: int):
        super().__init__()
        self._first = first

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return (batch, tokens x width) of (batch, tokens, width)."""
        return tokens[:, self._first :].flatten(1)


_WITHOUT_WEIGHTS = {"leaky_relu": nn.LeakyReLU, "tokens": Tokens}
LAYERS = ("linear", "batch_norm", "matrix", *_WITHOUT_WEIGHTS)


def build_head(layers: Sequence[Mapping[str, Any]], state: State, source: object) -> nn.Sequential:
    """Return layers with the weights that a checkpoint has for them.

    Args:
        layers: one mapping each, of a kind to where its weights lie: ``{linear: fc}`` takes
            ``fc.weight`` and, if it is there, ``fc.bias``; ``{batch_norm: bn}``;
            ``{matrix: image_projection}`` is a tensor (features, outputs). Others have none:
            ``{leaky_relu: 0.2}`` is a slope, ``{tokens: 1}`` the first token (``Tokens``).
        state: name -> tensor.
        source: what errors call the checkpoint.

    Raises:
        UserError: a kind is unknown, or the checkpoint has no such tensor.
    """
    return nn.Sequential(*(_build(layer, state, source) for layer in layers))


def _build(layer: Mapping[str, Any], state: State, source: object) -> nn.Module:
    kind, value = next(iter(layer.items()))
    if len(layer) != 1 or kind not in LAYERS:
        raise UserError(
            f"config/tracers.yaml: 'head' has a layer {dict(layer)}; each is one of: "
            f"{', '.join(LAYERS)}"
        )
    if kind in _WITHOUT_WEIGHTS:
        return _WITHOUT_WEIGHTS[kind](value)
    if kind == "matrix":
        state = {f"{value}.weight": _find(state, value, source).float().T}
    weight = _find(state, f"{value}.weight", source)
    if kind != "batch_norm":
        built = nn.Linear(weight.shape[1], weight.shape[0], bias=f"{value}.bias" in state)
    else:
        built = nn.BatchNorm1d(len(weight))
    wanted = [name for name in built.state_dict() if name != "num_batches_tracked"]
    tensors = {name: _find(state, f"{value}.{name}", source) for name in wanted}
    built.load_state_dict(tensors, strict=False)  # the count of batches decides nothing here
    return built


def _find(state: State, name: str, source: object) -> torch.Tensor:
    if name not in state:
        raise UserError(
            f"{source} has no tensor '{name}', which 'settings.head' of its entry names; correct it"
        )
    return state[name]
