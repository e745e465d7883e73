"""The project's code as something that results depend on: which modules, and what they do.

Snakemake does not see an edit of a module that a script imports. Each rule therefore has the
checksum of its code as a parameter, and each ledger has it in its key.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
"""The workflow's folder."""

PLUMBING = (
    "scripts/annotate/annotator.py",
    "scripts/annotate/openai_batches.py",
    "scripts/annotate/openai_endpoint.py",
    "scripts/annotate/openai_model.py",
    "scripts/annotate/token_costs.py",
    "scripts/common/backends.py",
    "scripts/common/code.py",
    "scripts/common/engine.py",
    "scripts/common/errors.py",
    "scripts/common/faults.py",
    "scripts/common/fingerprints.py",
    "scripts/common/index_rows.py",
    "scripts/common/ledger.py",
    "scripts/common/prefetch.py",
    "scripts/common/progress.py",
    "scripts/common/provenance.py",
    "scripts/common/roles.py",
    "scripts/common/rule_log.py",
    "scripts/common/schemas/",
    "scripts/common/segments.py",
    "scripts/common/shards.py",
    "scripts/common/tables.py",
    "scripts/common/weight_files.py",
)
"""Modules, and folders of such, that carry a finished row and decide nothing of what it says.

An edit of one runs the rules again that import it; ledgers keep their rows.
"""


def modules_of(script: str | Path, *backends: str, plumbing: bool = True) -> list[str]:
    """Return the files that decide what a script does: itself and what it imports of the project.

    Args:
        script: path of the script, from the workflow's folder.
        backends: classes that the script finds by name, as ``package.module:Class``.
        plumbing: whether ``PLUMBING`` counts, and what only plumbing imports.

    Returns:
        Paths from the workflow's folder, sorted.
    """
    found = _closures(script, backends, plumbing)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def packages_of(modules: Iterable[str | Path]) -> set[str]:
    """Return the packages outside the project that are imported when modules are.

    Args:
        modules: paths from the workflow's folder.
    """
    imports = [node for module in modules for node in _parsed(ROOT / module).body]
    names = {one.name for node in imports if isinstance(node, ast.Import) for one in node.names}
    names |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names} - {"scripts"}


def code_checksum(script: str | Path, *backends: str, plumbing: bool = True) -> str:
    """Return a checksum of what a script does; comments, docstrings and layout do not count.

    Args:
        script: path of the script, from the workflow's folder.
        backends: classes that the script finds by name, as ``package.module:Class``.
        plumbing: whether ``PLUMBING`` counts: for a rule it does, for a finished row it does not.
    """
    return _hash(_closures(script, backends, plumbing))


def hash_code(modules: Iterable[str | Path]) -> str:
    """Return a checksum of what Python modules do, under whatever names they lie.

    Args:
        modules: paths from the workflow's folder.
    """
    return _hash(frozenset(ROOT / module for module in modules))


def settings_of(params: Any) -> dict[str, Any]:
    """Return a rule's parameters without ``code``, which is there to be compared, not to be used.

    Args:
        params: ``snakemake.params``, or any mapping.
    """
    return {name: value for name, value in params.items() if name != "code"}


_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields of a statement that hold statements."""


@cache
def _hash(paths: frozenset[Path]) -> str:
    return hashlib.sha256(b"".join(sorted(map(_hash_module, paths)))).hexdigest()[:20]


def _closures(script: str | Path, backends: Iterable[str], plumbing: bool) -> frozenset[Path]:
    files = [ROOT / script, *(_file_of(backend.partition(":")[0]) for backend in backends)]
    return frozenset().union(*(_closure(file, plumbing) for file in files if file is not None))


@cache
def _closure(path: Path, plumbing: bool) -> frozenset[Path]:
    found, left = set(), [path]
    while left:
        module = left.pop()
        if module not in found and (plumbing or not _is_plumbing(module)):
            found.add(module)
            left.extend(_imports(module))
    return frozenset(found)


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    names = set()
    for node in _read(path)[1]:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(filter(None, map(_file_of, sorted(names))))


@cache
def _hash_module(path: Path) -> bytes:
    """Return a checksum in which modules of the project stand by what they hold, not by name."""
    statements, found = _read(path)
    imports = [
        [_content(_file_of(node.module)), *sorted(f"{one.name} {one.asname}" for one in node.names)]
        for node in found
        if _is_import(node)
    ]
    return hashlib.sha256(f"{statements}{sorted(imports)}".encode()).digest()


@cache
def _content(path: Path) -> str:
    """Return a checksum of what a module itself holds; plumbing is plumbing, whatever it holds."""
    if _is_plumbing(path):
        return "plumbing"
    return hashlib.sha256(_read(path)[0].encode()).hexdigest()


@cache
def _read(path: Path) -> tuple[str, list[ast.Import | ast.ImportFrom]]:
    """Return a module as text, and the imports in it.

    The text is without imports of the project's modules, and without strings that stand alone:
    docstrings, and those below attributes. Every plan reads all modules, so each is parsed once,
    and of its expressions, which hold neither, nothing is looked at.
    """
    tree = _parsed(path)
    found, left = [], [tree]
    for node in left:
        for field in _BLOCKS:
            left.extend(getattr(node, field, ()))
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif hasattr(node, "body"):
            kept = [one for one in node.body if not _is_string(one) and not _is_import(one)]
            node.body = kept or [ast.Pass()]
    return ast.dump(tree), found


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _is_import(node: ast.AST) -> bool:
    """Return whether a statement imports from one of the project's modules."""
    return isinstance(node, ast.ImportFrom) and _file_of(node.module or "") is not None


def _is_plumbing(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(PLUMBING)


def _is_string(node: ast.AST) -> bool:
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant and isinstance(node.value.value, str)


def _file_of(module: str) -> Path | None:
    """Return a project module's file; packages' empty ``__init__.py`` decide nothing."""
    if not module.startswith("scripts."):
        return None
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None
