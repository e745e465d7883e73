"""Items that failed in a run that ended well: where they fail again, no machine is to blame.

A run that is started again tries only them; without this note, ten odd items of a hundred thousand
would then look like ten failures in a row.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from scripts.common.fingerprints import fingerprint

_NOTE = "failed.items"


def failed_before(folder: Path, items: Mapping[str, str | None]) -> set[str]:
    """Return which items, each with its version, are noted in a ledger's folder as failed."""
    noted = set()
    with contextlib.suppress(OSError, ValueError):
        noted.update(json.loads((folder / _NOTE).read_text(encoding="utf-8")))
    return {key for key, version in items.items() if _name(key, version) in noted}


def note_failed(folder: Path, items: Mapping[str, str | None]) -> None:
    """Note which items failed, in place of what was noted before; ids are not given away."""
    if not items:
        (folder / _NOTE).unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{_NOTE}.{os.getpid()}"
    part.write_text(json.dumps(sorted(map(_name, *zip(*items.items(), strict=True)))))
    os.replace(part, folder / _NOTE)


def _name(key: str, version: str | None) -> str:
    return fingerprint(item=key, version=version)
