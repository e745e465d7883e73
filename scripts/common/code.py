"""The project's modules that a script imports, found by reading its imports."""

import ast
import os
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The workflow's folder."""


def modules_of(script: str | Path, *backends: str) -> list[str]:
    """Return the files that decide what a script does: itself and what it imports of the project.

    Snakemake does not see an edit of an imported module; as inputs of the rule it does.

    Args:
        script: path of the script, from the workflow's folder.
        backends: classes that the script finds by name, as ``package.module:Class``.

    Returns:
        Paths from the working directory, sorted: a workflow that is moved together with its
        results knows them again, and has nothing to do.
    """
    found = set(_closure(ROOT / script))
    for backend in backends:
        path = _file_of(backend.partition(":")[0])
        if path is not None:
            found.update(_closure(path))
    return sorted(os.path.relpath(path) for path in found)


@cache
def _closure(path: Path) -> frozenset[Path]:
    found, left = set(), [path]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left.extend(_imports(module))
    return frozenset(found)


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(filter(None, map(_file_of, sorted(names))))


def _file_of(module: str) -> Path | None:
    """Return a project module's file; packages' empty ``__init__.py`` decide nothing."""
    if not module.startswith("scripts."):
        return None
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None
