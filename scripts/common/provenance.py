"""Provenance: what a table or figure was made from, by which code, in a file beside it."""

import functools
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.common.code import ROOT
from scripts.common.fingerprints import sha256_of

UNKNOWN = "unknown"


def write_provenance(
    path: Path | str,
    *,
    inputs: Iterable[Path | str],
    outputs: Iterable[Path | str] = (),
    settings: Mapping[str, Any],
    weights: Mapping[str, Any] | None = None,
    seeds: Mapping[str, int] | None = None,
    device: str | None = None,
) -> None:
    """Write ``<stem>.provenance.json``: code commit, settings, checksums, versions, device, seeds.

    Args:
        path: the file to write; it lies beside what it describes.
        inputs: every input of the rule; the project's own modules are listed as code.
        outputs: what the record describes, already written.
        settings: the rule's parameters, as far as they are JSON-like.
        weights: entry -> where its weights come from, with their revision.
        seeds: name -> seed.
        device: where the work ran; by default this machine's processor and graphics cards.
    """
    path = Path(path)
    names = sorted({str(name) for name in inputs})
    code = [name for name in names if _is_code(name)]
    record = {
        "describes": {Path(name).name: sha256_of(Path(name)) for name in map(str, outputs)},
        "code": code_version()
        | {"modules": {_from_root(name): sha256_of(Path(name)) for name in code}},
        "settings": dict(settings),
        "seeds": dict(seeds or {}),
        "weights": dict(weights or {}),
        "inputs": {_from_root(name): sha256_of(Path(name)) for name in names if name not in code},
        "device": device or describe_device(),
        "python": platform.python_version(),
        "packages": package_versions(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, default=str)
    path.write_text(text + "\n", encoding="utf-8")


def record_job(job: Any) -> None:
    """Write the provenance of a running job to its output named ``provenance``.

    Args:
        job: the object ``snakemake`` of a script. Its parameters are the settings; one named
            ``seed`` is the seed, and each entry of a sheet among them (a mapping with ``entry``
            and ``weights``) tells its weights.
    """
    settings = dict(job.params.items())
    write_provenance(
        job.output.provenance,
        inputs=job.input,
        outputs=[name for name in job.output if name != job.output.provenance],
        settings=settings,
        weights=dict(_weights(settings)),
        seeds={"seed": settings["seed"]} if "seed" in settings else {},
    )


def _weights(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        if "entry" in value and "weights" in value:
            yield value["entry"], value["weights"]
        for part in value.values():
            yield from _weights(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _weights(part)


def code_version(root: Path = ROOT) -> dict[str, Any]:
    """Return the commit of the workflow's code, and whether tracked files differ from it.

    Outside a clone (or where the folder merely lies inside somebody else's) the commit is
    ``unknown`` and ``dirty`` is None.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    commit = _git(root, "rev-parse", "HEAD")
    if top is None or commit is None or Path(top).resolve() != Path(root).resolve():
        return {"commit": UNKNOWN, "dirty": None}
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


@functools.cache
def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that the project asks for, by name.

    The names are those of ``envs/requirements.in``: one rule's environment holds only some, and
    those that it lacks are left out.
    """
    listing = ROOT / "envs" / "requirements.in"
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    versions = {}
    for line in lines:
        match = re.match(r"[A-Za-z0-9._-]+", line.strip())
        if match is None:
            continue
        try:
            versions[match[0]] = importlib.metadata.version(match[0])
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def describe_device() -> str:
    """Return this machine's processor, its number of cores, and its graphics cards if any."""
    cards = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    cores = f"{_processor()}, {os.cpu_count()} cores"
    return cores if not cards else f"{cores}; " + ", ".join(cards.splitlines())


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1] if match else platform.processor() or platform.machine()


def _is_code(name: str) -> bool:
    return Path(name).suffix == ".py" and Path(name).resolve().is_relative_to(ROOT / "scripts")


def _from_root(name: str) -> str:
    """Return a path without the place where somebody unpacked the workflow.

    Results keep the name that they have in the working directory, which may lie anywhere.
    """
    path = Path(name)
    outside = path.is_absolute() or ".." in path.parts or path.suffix == ".py"
    if outside and path.resolve().is_relative_to(ROOT):
        return str(path.resolve().relative_to(ROOT))
    return name


def _git(root: Path, *arguments: str) -> str | None:
    return _output(["git", "-C", str(root), *arguments])


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
