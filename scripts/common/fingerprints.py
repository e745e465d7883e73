"""Fingerprints: what a result depends on, as one short name."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def fingerprint(**parts: object) -> str:
    """Return a name (20 hexadecimal digits) that changes when any of ``parts`` does.

    Args:
        parts: JSON-like values: an entry of a sheet, settings, checksums of code or of files.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def hash_files(paths: Iterable[Path | str]) -> list[str]:
    """Return the SHA-256 of each file, in the order given."""
    return [sha256_of(Path(path)) for path in paths]


def sha256_of(source: bytes | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with open(source, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
