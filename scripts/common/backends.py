"""Backends: a sheet in ``config/`` names a class; it is found here, and checked before a run."""

import importlib.util
import os
import re
from collections.abc import Mapping
from typing import Any

from scripts.common.code import ROOT, modules_of, packages_of
from scripts.common.errors import UserError
from scripts.common.weight_files import check_weights, parts_of


def find_backend(entry: Mapping[str, Any]) -> type:
    """Return the class that an entry names as ``package.module:Class``.

    Raises:
        UserError: the module or the class does not exist, or a package that it needs is missing.
    """
    module_name, _, class_name = entry["backend"].partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise _lacking(entry, error.name) from None
    if not hasattr(module, class_name):
        raise UserError(
            f"backend '{entry['backend']}': {module_name} has no class '{class_name}'; correct "
            "the entry's 'backend'"
        )
    return getattr(module, class_name)


def check_packages(entry: Mapping[str, Any]) -> None:
    """Find what ``find_backend`` would miss, and import nothing of the project's: PyTorch and its
    kin take seconds.

    Raises:
        UserError: a package that the module imports is missing, or the module or class itself.
    """
    module, _, class_name = entry["backend"].partition(":")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not re.search(rf"^class {class_name}\b", text, re.M):  # somebody's own, or imported there
        find_backend(entry)
        return
    for package in sorted(packages_of(modules_of(path))):
        if not importlib.util.find_spec(package):
            raise _lacking(entry, package)


def _lacking(entry: Mapping[str, Any], module: str | None) -> UserError:
    return UserError(
        f"backend '{entry['backend']}': module '{module}' is missing; install it in the rule's "
        "environment or correct the entry's 'backend'"
    )


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
    for part, place in parts_of(entry).items():
        faults += check_weights(f"{name}: {part}", place)
    for variable in entry.get("environment") or []:
        if not os.environ.get(variable):
            faults.append(f"{name}: the environment variable {variable} is not set; export it")
    return faults
