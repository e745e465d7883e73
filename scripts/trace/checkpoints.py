"""Weights from files: found, read without running code, renamed, and loaded without leftovers."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PosixPath
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from scripts.common.errors import UserError

State = dict[str, torch.Tensor]
_SHOWN = 4


def read_state(path: Path, state: str = "") -> State:
    """Return the tensors of a checkpoint; nothing in the file is run.

    Args:
        path: safetensors, or what ``torch.save`` wrote.
        state: where in a nested checkpoint the tensors lie, such as ``state_dict`` or
            ``classy_state_dict.base_model.model.trunk``.

    Raises:
        UserError: the file is damaged, holds more than tensors and plain values, or has nothing
            at ``state``.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except Exception as error:
            raise UserError(f"{path} cannot be read as safetensors ({error})") from None
    try:
        # Training scripts keep their command line in the checkpoint: plain data, with paths.
        with torch.serialization.safe_globals([argparse.Namespace, PosixPath]):
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{path} cannot be read as weights alone ({first}); convert it to safetensors"
        ) from None
    for key in filter(None, state.split(".")):
        if not isinstance(found, Mapping) or key not in found:
            raise UserError(
                f"{path} has no '{state}' ('{key}' is missing); correct 'settings.state' of its entry"
            )
        found = found[key]
    tensors = {
        name: value
        for name, value in (found.items() if isinstance(found, Mapping) else ())
        if isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise UserError(f"{path} holds no tensors at '{state}'; set 'settings.state' of its entry")
    return tensors


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


def load_exactly(network: nn.Module, state: State, source: Path) -> None:
    """Load a state that has every tensor of a network and nothing else.

    Raises:
        UserError: keys are missing or left over, or a shape differs; the first few are named.
    """
    wanted = network.state_dict()
    # Counts of batches, which older releases did not keep, decide nothing but in training.
    counts = {name for name in wanted if name.endswith(".num_batches_tracked")}
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
            f"{source} is of another architecture: of its tensors {'; '.join(faults)}; correct "
            "'settings.model', 'settings.keys' or 'settings.drop' of its entry"
        )
    network.load_state_dict(state)
