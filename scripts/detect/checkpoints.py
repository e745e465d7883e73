"""Weights of published detectors: read as tensors only, and loaded key by key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from scripts.common.errors import UserError


def read_checkpoint(path: str | Path) -> Any:
    """Return what a checkpoint holds: tensors, and containers of tensors and numbers.

    Raises:
        UserError: the file is missing, is damaged, or holds anything else (code is never run).
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"weights file {path} is missing; make check tells how to fetch it")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch meets garbage with errors of many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"weights file {path} cannot be read as tensors ({reason}); fetch it again"
        ) from None


def part_of(checkpoint: Any, key: str, path: str | Path) -> Mapping[str, torch.Tensor]:
    """Return the state dict under a key; names that a multi-GPU training wrote lose their prefix.

    Raises:
        UserError: there is no such key.
    """
    if not isinstance(checkpoint, Mapping) or key not in checkpoint:
        raise UserError(
            f"weights file {path} has no key '{key}'; it is of another model, or of another harness"
        )
    return {name.removeprefix("module."): tensor for name, tensor in checkpoint[key].items()}


def load_weights(
    model: torch.nn.Module, state: Mapping[str, torch.Tensor], path: str | Path
) -> None:
    """Put all weights into a model.

    Raises:
        UserError: a weight is missing, is of another shape, or belongs to no layer; it is named.
    """
    try:
        model.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        fault = " ".join(str(error).split())[:300]
        raise UserError(f"weights file {path} does not fit its model: {fault}") from None
