"""The lock file of what was fetched: resolved revisions, sizes and checksums, kept with the code.

``config/fetched.json``: ``revisions`` has the commit of each ``repository@revision`` that is none,
``files`` the size and SHA-256 of each address. What it says goes before what a sheet says.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.common.code import ROOT
from scripts.common.errors import UserError

LOCK = ROOT / "config" / "fetched.json"
Lock = dict[str, dict[str, Any]]


def read_lock(path: Path = LOCK) -> Lock:
    """Return the lock file's two tables; empty ones before anything was fetched.

    Raises:
        UserError: it is no such file.
    """
    empty: Lock = {"revisions": {}, "files": {}}
    try:
        return empty | json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return empty
    except (ValueError, TypeError):
        raise UserError(f"{path} is damaged; restore it from the repository") from None


def write_lock(lock: Lock, path: Path = LOCK) -> None:
    """Write the lock file, so that a line of it changes only with what it says."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, path)


def locked(weights: Mapping[str, Any], lock: Lock) -> dict[str, Any]:
    """Return an entry's weights with the commit and the checksum that were fetched for them."""
    found = dict(weights)
    if "hub" in found:
        name = f"{found['hub']}@{found['revision']}"
        found["revision"] = lock["revisions"].get(name, found["revision"])
    if known := lock["files"].get(found.get("url", "")):
        found.setdefault("sha256", known["sha256"])
    return found
