"""Backends: a sheet in ``config/`` names a class; it is found here, and checked before a run."""

import importlib
import os
import re
from collections.abc import Mapping
from typing import Any

from scripts.common.errors import UserError
from scripts.common.weight_files import check_weights


def find_backend(entry: Mapping[str, Any]) -> type:
    """Return the class that an entry names as ``package.module:Class``.

    Raises:
        UserError: the module or the class does not exist, or a package that it needs is missing.
    """
    module_name, _, class_name = entry["backend"].partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"backend '{entry['backend']}': module '{error.name}' is missing; install it in the "
            "rule's environment or correct the entry's 'backend'"
        ) from None
    if not hasattr(module, class_name):
        raise UserError(
            f"backend '{entry['backend']}': {module_name} has no class '{class_name}'; correct "
            "the entry's 'backend'"
        )
    return getattr(module, class_name)


def load_backend(entry: Mapping[str, Any], **extra: Any) -> Any:
    """Return an instance of an entry's class: ``Class(weights=..., **settings, **extra)``.

    Args:
        entry: one entry of a sheet: ``backend``, and perhaps ``weights`` and ``settings``.
        extra: what the rule adds, such as ``device``.

    Raises:
        UserError: as ``find_backend``, or a setting is unknown or missing.
    """
    settings = dict(entry.get("settings") or {}) | extra
    backend = find_backend(entry)
    try:
        return backend(weights=entry.get("weights"), **settings)
    except TypeError as error:
        if not re.search(r"__init__\(\) (got an unexpected|missing)", str(error)):
            raise
        raise UserError(
            f"backend '{entry['backend']}': {error}; correct the entry's 'settings'"
        ) from None


def check_entry(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Return what an entry lacks, one sentence each with the command that mends it.

    Nothing is loaded: a package must be installed, a file must exist, a hub's snapshot must lie
    in the local cache, an environment variable must be set.
    """
    faults = check_weights(name, entry.get("weights"))
    for variable in entry.get("environment") or []:
        if not os.environ.get(variable):
            faults.append(f"{name}: the environment variable {variable} is not set; export it")
    return faults
