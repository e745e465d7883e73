"""Weights: found by hub id and revision or by path, and read without running code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file

from scripts.common.errors import UserError
from scripts.common.fingerprints import sha256_of

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


def weights_file(weights: Mapping[str, str] | None) -> Path:
    """Return the file of an entry's weights: ``{hub, revision, file}`` or ``{path}``.

    A file of the hub is taken from the local cache, or fetched where there is a network. A
    ``sha256`` is checked.

    Raises:
        UserError: the entry names no file, the file is missing, or its checksum differs.
    """
    weights = weights or {}
    if "hub" in weights:
        path = _hub_file(weights)
    elif "path" in weights:
        path = Path(weights["path"])
    else:
        raise UserError("the entry names no weights; give it weights: {path: ...} or {hub: ...}")
    if not path.is_file():
        fetch = f"; fetch it with: curl -L -o {path} {weights['url']}" if "url" in weights else ""
        raise UserError(f"weights file {path} is missing{fetch}")
    if "sha256" in weights and sha256_of(path) != weights["sha256"]:
        raise UserError(
            f"weights file {path} has another checksum than the entry says; fetch it again, or "
            "correct 'weights.sha256'"
        )
    return path


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


def _hub_file(weights: Mapping[str, str]) -> Path:
    from huggingface_hub import hf_hub_download

    if "file" not in weights:
        raise UserError(f"the entry's weights of {weights['hub']} need 'file', the file to load")
    try:
        return Path(hf_hub_download(weights["hub"], weights["file"], revision=weights["revision"]))
    except (OSError, ValueError):
        raise UserError(
            f"{weights['file']} of {weights['hub']} is not in the local cache and cannot be "
            f"fetched; fetch it with: hf download {weights['hub']} {weights['file']} --revision "
            f"{weights['revision']}"
        ) from None
