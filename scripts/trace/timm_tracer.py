"""Tracers that are networks of timm, with timm's weights or another project's checkpoint."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import timm
import torch
from torch import nn

from scripts.common.devices import pick_device
from scripts.common.errors import UserError
from scripts.trace.checkpoints import find_weights, load_exactly, read_state, rename_keys
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.torch_tracer import TorchTracer


class TimmTracer(TorchTracer):
    """Describes pictures by the pooled features of a timm network; a Tracer."""

    def __init__(
        self,
        weights: Mapping[str, str],
        device: str = "cpu",
        *,
        model: str,
        dimension: int,
        model_arguments: Mapping[str, Any] | None = None,
        state: str = "",
        keys: Sequence[Sequence[str]] = (),
        drop: Sequence[str] = (),
        projection: str = "",
        image_size: int = 224,
        resize: str = "squeeze",
        shorter_side: int | None = None,
        interpolation: str = "bicubic",
        normalisation: str = "imagenet",
        batch_size: int = 64,
        precision: str = "float32",
    ):
        """Build the network without its classifier, and load its weights.

        For the arguments not named here see ``TorchTracer`` and ``Preprocessing``.

        Args:
            weights: a timm repository of the hub, or a file.
            device: ``cpu``, ``cuda`` or ``auto``.
            model: timm's name; with timm's weights the full tag, since tags drift.
            dimension: numbers that describe a picture.
            model_arguments: of ``timm.create_model``, such as ``global_pool`` or ``img_size``.
            state: where in a checkpoint the tensors lie (``read_state``).
            keys: how its names become timm's (``rename_keys``).
            drop: which of timm's names to leave out, besides the classifier.
            projection: name in the checkpoint of a matrix (features, dimension) that is applied
                to the pooled features, as SLIP does.
            image_size: see ``Preprocessing``.
            resize: likewise.
            shorter_side: likewise.
            interpolation: likewise.
            normalisation: likewise.
            batch_size: see ``TorchTracer``.
            precision: likewise.

        Raises:
            UserError: timm has no such model, or the weights are missing or do not fit.
        """
        try:
            network = timm.create_model(model, num_classes=0, **(model_arguments or {}))
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"timm has no model '{model}' ({error}); correct 'settings.model'"
            ) from None
        path = find_weights(weights)
        tensors = read_state(path, state)
        classifier = network.pretrained_cfg.get("classifier") or ()
        heads = [classifier] if isinstance(classifier, str) else list(classifier)
        named = rename_keys(tensors, keys, [*drop, *(rf"{head}\." for head in heads)])
        load_exactly(network, _as_timm_loads(named, network), path)
        if projection:
            if projection not in tensors:
                raise UserError(f"{path} has no '{projection}'; correct 'settings.projection'")
            network = nn.Sequential(network, _Projection(tensors[projection]))
        super().__init__(
            network.eval().to(pick_device(device)),
            Preprocessing(image_size, resize, shorter_side, interpolation, normalisation),
            name=model,
            dimension=dimension,
            device=device,
            batch_size=batch_size,
            precision=precision,
        )


class _Projection(nn.Module):
    def __init__(self, matrix: torch.Tensor):
        super().__init__()
        self.register_buffer("matrix", matrix.float())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features @ self.matrix


def _as_timm_loads(state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """Pass tensors through the filter with which timm loads weights of this kind of network.

    It renames older releases' tensors and resizes position embeddings to another image size.
    """
    module = sys.modules[type(network).__module__]
    filter_ = getattr(module, "checkpoint_filter_fn", None)
    return filter_(state, network) if filter_ else state
