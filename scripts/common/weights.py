"""Weights: found by hub id and revision or by path, and read without running code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file

from scripts.common.errors import UserError

T = TypeVar("T")


def load_pretrained(
    load: Callable[..., T], weights: Mapping[str, str] | None, **settings: Any
) -> T:
    """Return ``load(folder or repository, revision=..., **settings)``: a model in the hub's layout.

    Args:
        load: a library's loader, such as ``AutoModel.from_pretrained``.
        weights: ``{hub, revision}`` or ``{path}`` of a folder.
        settings: what else the loader takes.

    Raises:
        UserError: the weights are neither there nor can be fetched.
    """
    weights = weights or {}
    if "path" in weights:
        if not Path(weights["path"]).is_dir():
            raise UserError(f"weights folder {weights['path']} is missing; correct 'weights.path'")
        return load(str(weights["path"]), **settings)
    if "hub" not in weights:
        raise UserError("the entry names no weights; give it weights: {hub: ..., revision: ...}")
    try:
        return load(weights["hub"], revision=weights["revision"], **settings)
    except OSError as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{weights['hub']} at {weights['revision']} cannot be loaded ({first}); fetch it "
            f"with: hf download {weights['hub']} --revision {weights['revision']}"
        ) from None


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, or of a PyTorch file that holds only tensors.

    Raises:
        UserError: the file is neither.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # the two libraries have a dozen types for a file that is not theirs
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"weights file {path} cannot be read ({first}); fetch it again") from None


def load_into(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Put weights into a module, each into its place.

    Raises:
        UserError: the file holds the weights of another network.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise UserError(
            f"weights file {path} does not fit the architecture ({lines[-1].strip()}); correct "
            "'weights' or 'settings.architecture' of the entry"
        ) from None
