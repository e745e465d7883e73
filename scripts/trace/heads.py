"""What follows a network's features: pooling, and layers read from a checkpoint by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from scripts.common.errors import UserError
from scripts.models.weights import State

LAYERS = ("linear", "batch_norm", "matrix", "leaky_relu")


class GeneralisedMean(nn.Module):
    """Pools a map of features by its generalised mean (GeM): power 1 is the mean."""

    def __init__(self, power: float, floor: float = 1e-6):
        super().__init__()
        self._power, self._floor = power, floor

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels) of (batch, channels, height, width)."""
        raised = features.clamp(min=self._floor) ** self._power
        return raised.mean(dim=(2, 3)) ** (1 / self._power)


class Matrix(nn.Module):
    """Multiplies features by a matrix of shape (features, outputs)."""

    def __init__(self, matrix: torch.Tensor):
        super().__init__()
        self.register_buffer("matrix", matrix.float())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, outputs)."""
        return features @ self.matrix


def build_head(layers: Sequence[Mapping[str, Any]], state: State, source: object) -> nn.Sequential:
    """Return layers with the weights that a checkpoint has for them.

    Args:
        layers: one mapping each, of a kind to where its weights lie: ``{linear: fc}`` takes
            ``fc.weight`` and, if it is there, ``fc.bias``; ``{batch_norm: bn}``;
            ``{matrix: image_projection}`` is a tensor (features, outputs); ``{leaky_relu: 0.2}``
            is a slope and needs none.
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
    if kind == "leaky_relu":
        return nn.LeakyReLU(value)
    if kind == "matrix":
        return Matrix(_find(state, value, source))
    weight = _find(state, f"{value}.weight", source)
    if kind == "linear":
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
