"""Tracers that are networks of timm, with timm's weights or another project's checkpoint."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import timm
import torch
from torch import nn

from scripts.common.errors import UserError
from scripts.common.weight_files import weights_file
from scripts.models.devices import pick_device
from scripts.models.weights import State, cut_prefix, load_exactly, read_tensors, rename_keys
from scripts.trace.conversions import CONVERSIONS
from scripts.trace.heads import GeneralisedMean, build_head
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
        prefix: str = "",
        keys: Sequence[Sequence[str]] = (),
        drop: Sequence[str] = (),
        conversion: str = "",
        last_stride: int | None = None,
        copies: int = 1,
        generalised_mean: float | None = None,
        head: Sequence[Mapping[str, Any]] = (),
        image_size: int = 224,
        sizes: Sequence[int] = (),
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
            state: where in a checkpoint the tensors lie (``read_tensors``).
            prefix: regular expression that is cut off at the start of the checkpoint's names.
            keys: how its names become timm's (``rename_keys``).
            drop: which of timm's names to leave out, besides the classifier.
            conversion: a name in ``CONVERSIONS``, applied to the renamed tensors.
            last_stride: of a ResNet's last stage, where it is not 2.
            copies: how often a picture's channels are repeated, for networks that take several
                pictures at once.
            generalised_mean: power of the pooling, where the network gives a map.
            head: layers after the pooled features (``build_head``).
            image_size: see ``Preprocessing``.
            sizes: see ``TorchTracer``.
            resize: see ``Preprocessing``.
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
        if conversion and conversion not in CONVERSIONS:
            raise UserError(
                f"config/tracers.yaml: 'conversion' is {conversion!r}; it may be one of: "
                f"{', '.join(CONVERSIONS)}"
            )
        path = weights_file(weights, "model.safetensors")
        tensors = cut_prefix(read_tensors(path, state), prefix)
        named = rename_keys(tensors, keys, [*drop, *_classifiers(network)])
        if conversion:
            named = CONVERSIONS[conversion](named)
        load_exactly(network, _as_timm_loads(named, network), path)
        if last_stride is not None:
            _set_last_stride(network, last_stride)
        super().__init__(
            _Described(network, copies, generalised_mean, build_head(head, tensors, path))
            .eval()
            .to(pick_device(device)),
            Preprocessing(image_size, resize, shorter_side, interpolation, normalisation),
            name=model,
            dimension=dimension,
            sizes=sizes,
            device=device,
            batch_size=batch_size,
            precision=precision,
        )


class _Described(nn.Module):
    """A network, its pooling and its head; of a pyramid of maps the last one counts."""

    def __init__(
        self, network: nn.Module, copies: int, generalised_mean: float | None, head: nn.Module
    ):
        super().__init__()
        self.network, self.head, self._copies = network, head, copies
        self.pool = GeneralisedMean(generalised_mean) if generalised_mean else nn.Identity()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        features = self.network(pixels.repeat(1, self._copies, 1, 1))
        if isinstance(features, list | tuple):
            features = features[-1]
        return self.head(self.pool(features))


def _classifiers(network: nn.Module) -> list[str]:
    """Return regular expressions for the names of a network's classifier, which it lacks here."""
    found = (getattr(network, "pretrained_cfg", None) or {}).get("classifier") or ()
    return [rf"{name}\." for name in ([found] if isinstance(found, str) else found)]


def _set_last_stride(network: nn.Module, stride: int) -> None:
    block = network.layer4[0]
    block.conv2.stride = (stride, stride)
    block.downsample[0].stride = (stride, stride)


def _as_timm_loads(state: State, network: nn.Module) -> State:
    """Pass tensors through the filter with which timm loads weights of this kind of network.

    It renames older releases' tensors and resizes position embeddings to another image size.
    """
    module = sys.modules[type(network).__module__]
    filter_ = getattr(module, "checkpoint_filter_fn", None)
    return filter_(state, network) if filter_ else state
