"""Fingerprints: what a result depends on, as one short name."""

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def fingerprint(**parts: object) -> str:
    """Return a name (20 hexadecimal digits) that changes when any of ``parts`` does.

    Args:
        parts: JSON-like values: an entry of a sheet, settings, ``hash_code`` or ``hash_files``.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def hash_code(paths: Iterable[Path | str], stage: str | None = None) -> str:
    """Return a checksum of what Python modules do; comments, docstrings and layout do not count.

    Args:
        paths: modules, such as ``snakemake.input.code``.
        stage: if given, only modules of ``scripts/<stage>/`` count. Ledgers of costly items use
            this: a change in how tables are written must not discard a hundred thousand videos.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(path) for path in paths):
        if stage is None or path.parent.name == stage:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            digest.update(f"{path.name}\n{ast.dump(_without_docstrings(tree))}\n".encode())
    return digest.hexdigest()


def hash_files(paths: Iterable[Path | str]) -> list[str]:
    """Return the SHA-256 of each file, in the order given."""
    return [sha256_of(Path(path)) for path in paths]


def sha256_of(source: bytes | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with open(source, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not body:
            continue
        first = body[0]
        docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        if docstring and isinstance(first.value.value, str):
            node.body = body[1:] or [ast.Pass()]
    return tree
