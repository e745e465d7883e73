"""Tracers that are networks of timm, with timm's weights or another project's checkpoint."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from scripts.common.errors import UserError
from scripts.common.weight_files import weights_file
from scripts.models.devices import pick_device
from scripts.models.weights import State, cut_prefix, load_exactly, read_tensors, rename_keys
from scripts.trace.heads import GeneralisedMean, build_head
from scripts.trace.torch_tracer import TorchTracer, is_stand_in, seeded


class TimmTracer(TorchTracer):
    """Describes pictures by the pooled features of a timm network; a Tracer."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        model: str,
        model_arguments: Mapping[str, Any] | None = None,
        state: str = "",
        prefix: str = "",
        keys: Sequence[Sequence[str]] = (),
        drop: Sequence[str] = (),
        conversion: str = "",
        last_stride: int | None = None,
        norm_epsilon: float | None = None,
        copies: int = 1,
        generalised_mean: float | None = None,
        head: Sequence[Mapping[str, Any]] = (),
        seed: int | None = None,
        **described: Any,
    ):
        """Build the network without its classifier, and load its weights.

        Args:
            weights: a timm repository of the hub, or a file; none where there is a ``seed``.
            device: ``cpu``, ``cuda`` or ``auto``.
            model: see ``build_network``.
            model_arguments: likewise.
            state: where in a checkpoint the tensors lie (``read_tensors``).
            prefix: regular expression that is cut off at the start of the checkpoint's names.
            keys: how its names become timm's (``rename_keys``).
            drop: which of timm's names to leave out, besides the classifier.
            conversion: a name in ``CONVERSIONS``, applied to the renamed tensors.
            last_stride: of a ResNet's last stage, where it is not 2.
            norm_epsilon: of the layer norms, where it is not timm's.
            copies: how often a picture's channels are repeated, for networks that take several
                pictures at once.
            generalised_mean: power of the pooling, where the network gives a map.
            head: layers after the pooled features (``build_head``).
            seed: of random weights, for a stand-in.
            described: what else ``TorchTracer`` takes.

        Raises:
            UserError: timm has no such model, or the weights are missing or do not fit,
                or there is a seed, too.
        """
        with seeded(seed or 0):
            network = build_network(model, model_arguments)
        if conversion and conversion not in CONVERSIONS:
            raise UserError(
                f"config/tracers.yaml: 'conversion' is {conversion!r}; it may be one of: "
                f"{', '.join(CONVERSIONS)}"
            )
        tensors, path = {}, Path("random weights")
        if not is_stand_in(weights, seed):
            path = weights_file(weights, "model.safetensors")
            tensors = cut_prefix(read_tensors(path, state), prefix)
            load_network(network, tensors, path, keys=keys, drop=drop, conversion=conversion)
        if last_stride is not None:
            block = network.layer4[0]
            block.conv2.stride = block.downsample[0].stride = (last_stride, last_stride)
        if norm_epsilon is not None:
            set_norm_epsilon(network, norm_epsilon)
        whole = _Described(network, copies, generalised_mean, build_head(head, tensors, path))
        super().__init__(
            whole.eval().to(pick_device(device)), name=model, device=device, **described
        )

    @staticmethod
    def trainable(
        weights: Mapping[str, str] | None, settings: Mapping[str, Any]
    ) -> VisionTransformer:
        """Return a network that can be trained, with the weights that it begins from, if any.

        Args:
            weights: a timm repository of the hub, or a file; random if there are none.
            settings: of the entry: ``model`` and ``model_arguments``.

        Raises:
            UserError: it is no Vision Transformer of timm, or the weights are another's.
        """
        network = build_network(settings["model"], settings.get("model_arguments"))
        if not isinstance(network, VisionTransformer):
            raise UserError(
                f"config/tracers.yaml: 'model' is {settings['model']!r}, and only a Vision "
                "Transformer of timm can be trained; name one"
            )
        if weights:
            path = weights_file(weights, "model.safetensors")
            load_network(network, read_tensors(path), path)
        return network


def build_network(model: str, model_arguments: Mapping[str, Any] | None = None) -> nn.Module:
    """Return a network with random weights, without its classifier.

    Args:
        model: timm's name; with timm's weights the full tag, since tags drift.
        model_arguments: of ``timm.create_model``, such as ``global_pool`` or ``img_size``.

    Raises:
        UserError: timm has no such model.
    """
    try:
        return timm.create_model(model, num_classes=0, **(model_arguments or {}))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"timm has no model '{model}' ({error}); correct 'settings.model'"
        ) from None


def set_norm_epsilon(network: nn.Module, epsilon: float) -> None:
    """Give every layer norm of a network an epsilon that is not timm's."""
    for layer in network.modules():
        if isinstance(layer, nn.LayerNorm):
            layer.eps = epsilon


def load_network(
    network: nn.Module,
    tensors: State,
    path: Path,
    *,
    keys: Sequence[Sequence[str]] = (),
    drop: Sequence[str] = (),
    conversion: str = "",
) -> None:
    """Load a checkpoint's tensors, but for its classifier, into a network of timm.

    They pass through the filter with which timm loads weights of this kind of network: it renames
    older releases' tensors and resizes position embeddings to another image size.

    Args:
        network: of ``build_network``.
        tensors: name -> tensor.
        path: of the checkpoint, for errors.
        keys: as ``TimmTracer``.
        drop: likewise.
        conversion: likewise.

    Raises:
        UserError: the tensors are of another network.
    """
    found = (getattr(network, "pretrained_cfg", None) or {}).get("classifier") or ()
    classifiers = [found] if isinstance(found, str) else found
    named = rename_keys(tensors, keys, [*drop, *(rf"{name}\." for name in classifiers)])
    if conversion:
        named = CONVERSIONS[conversion](named)
    # The filter leaves these layers out without a word, and the features with them are others.
    if fused := next((name for name in named if "pre_logits" in name), None):
        raise UserError(
            f"{path} has '{fused}', a layer after the features that timm's network lacks; name it "
            "under 'settings.drop' to describe pictures by what is before it"
        )
    filter_ = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    load_exactly(network, filter_(named, network) if filter_ else named, path)


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


def _pattern_token_to_register(state: State) -> State:
    """Return AnyPattern's Vision Transformer as timm's with one register token.

    AnyPattern appends a pattern token with a position embedding of its own after the patches
    (https://github.com/WangWenhao0716/AnyPattern, Test/models/vit_models_first_dgg.py); timm puts
    register tokens after the class token. Attention does not know the order of tokens, so only
    the position embeddings have to move along.

    Args:
        state: tensors with timm's names, ``pattern_token`` and ``pos_embed_1``, both of shape
            (1, 1, width).

    Raises:
        UserError: one of them is missing.
    """
    missing = [name for name in ("pattern_token", "pos_embed", "pos_embed_1") if name not in state]
    if missing:
        raise UserError(
            f"the checkpoint has no '{missing[0]}', so it is not AnyPattern's; correct "
            "'settings.conversion' of its entry"
        )
    state = dict(state)
    first, rest = state["pos_embed"].split([1, state["pos_embed"].shape[1] - 1], dim=1)
    state["pos_embed"] = torch.cat([first, state.pop("pos_embed_1"), rest], dim=1)
    state["reg_token"] = state.pop("pattern_token")
    return state


CONVERSIONS = {"pattern_token_to_register": _pattern_token_to_register}
"""For checkpoints whose tensors are not timm's even with other names."""
