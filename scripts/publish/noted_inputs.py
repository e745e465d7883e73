"""What Snakemake has noted of its jobs' inputs, corrected where a file was changed on purpose."""

import json
import os
from pathlib import Path

from scripts.common.fingerprints import sha256_of
from scripts.common.lineage import RECORDS

LARGEST = 1_000_000_000
"""Bytes of the largest file of which Snakemake notes a checksum (profiles/default)."""


class NotedInputs:
    """Checksums of files before they are changed, and then in Snakemake's notes.

    Where an input is newer than what was made from it (files were copied without their dates), its
    checksum decides whether a job runs again. The notes of a job that had read the file as it was
    now say that it has read the file as it is; those of any other job stay, so that what was
    waiting to be made again still is.
    """

    def __init__(self, directory: Path):
        """Open the notes of a run's working directory."""
        self._directory = Path(directory)
        self._before: dict[Path, str] = {}

    def remember(self, path: Path) -> None:
        """Take the checksum of a file that is about to change."""
        noted = path not in self._before and path.is_file() and ".ledger" not in path.parts
        if noted and path.stat().st_size <= LARGEST:
            self._before[path] = f"sha256:{sha256_of(path)}"

    def correct(self) -> None:
        """Write the new checksums where the notes have the old ones."""
        changed = {
            os.path.relpath(path, self._directory): (before, f"sha256:{sha256_of(path)}")
            for path, before in self._before.items()
        }
        for record in (self._directory / RECORDS).rglob("*"):
            if record.is_file():
                _correct(record, changed)


def _correct(record: Path, changed: dict[str, tuple[str, str]]) -> None:
    try:
        notes = json.loads(record.read_text(encoding="utf-8"))
        checksums = notes.get("input_checksums") or {}
    except (ValueError, AttributeError):  # not a record, or one that was cut
        return
    stale = {name for name in checksums.keys() & changed.keys()
             if checksums[name] == changed[name][0]}  # fmt: skip
    if stale:
        checksums.update((name, changed[name][1]) for name in stale)
        part = record.with_name(f"tmp-{os.getpid()}")
        part.write_text(json.dumps(notes), encoding="utf-8")
        os.replace(part, record)
