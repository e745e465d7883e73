"""Provenance: what each job made, from what and by which code.

Every job leaves a small record beside its log, from which ``make lineage`` puts the chain together;
a table or figure has the whole story in a file beside it.
"""

import contextlib
import json
import os
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from scripts.common.code import ROOT, modules_of, settings_of
from scripts.common.fingerprints import fingerprint, sha256_of
from scripts.common.weight_files import installed_version

UNKNOWN = "unknown"
LEDGERS: set[str] = set()
"""The ledgers that this process has opened, as ``<stage>/<fingerprint>``."""
ITEMS: Counter[str] = Counter()
"""The items of ledgers that this process has finished, ``done``, or found there, ``recalled``."""
LOGS = Path("logs")
"""Where logs and records lie, seen from the working directory of the workflow."""


def record_job(job: Any, seconds: float) -> None:
    """Write the record of a job that is done, and its provenance if it has such an output.

    Args:
        job: the object ``snakemake`` of a script.
        seconds: that it took.
    """
    if "provenance" in dict(job.output.items()):
        _write(Path(job.output.provenance), provenance_of(job))
    record = {
        "rule": job.rule,
        "wildcards": dict(job.wildcards.items()),
        "inputs": list(job.input),
        "outputs": list(job.output),
        "script": _script(job),
        "code": job.params.get("code"),
        "ledgers": sorted(LEDGERS),
        "items": dict(ITEMS),
        "settings": fingerprint(**settings_of(job.params)),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
    }
    _write(Path(job.log[0]).with_suffix(".json"), record)


def count_items(done: int, recalled: int) -> None:
    """Count items for the record of this job: what was done now, and what need not be."""
    ITEMS.update(done=done, recalled=recalled)


def name_ledger(folder: Path) -> Path:
    """Return the folder of a ledger, which the record of this job is to name as one that it used.

    Args:
        folder: ``<stage>/<fingerprint>/<what the job is about>``, wherever that lies.
    """
    LEDGERS.add("/".join(folder.parts[-3:-1]))
    return folder


def provenance_of(job: Any) -> dict[str, Any]:
    """Return all that made a job's outputs: code, settings, checksums, versions, device, weights.

    Args:
        job: the object ``snakemake`` of a script. Its parameters are the settings; one named
            ``seed`` is the seed, and each entry of a sheet among them (a mapping with ``entry``
            and ``weights``) tells its weights.
    """
    settings = dict(job.params.items())
    made = [Path(name) for name in job.output if name != job.output.provenance]
    script = _script(job)
    modules = modules_of(script) if (ROOT / script).is_file() else []
    return {
        "describes": {path.name: sha256_of(path) for path in made},
        "code": code_version() | {"modules": {name: sha256_of(ROOT / name) for name in modules}},
        "settings": settings,
        "seeds": {"seed": settings["seed"]} if "seed" in settings else {},
        "weights": dict(_weights(settings)),
        "inputs": {_from_root(name): sha256_of(Path(name)) for name in sorted(set(job.input))},
        "device": describe_device(),
        "python": platform.python_version(),
        "packages": package_versions(),
    }


def code_version(root: Path = ROOT) -> dict[str, Any]:
    """Return the commit of the workflow's code, and whether tracked files differ from it.

    Outside a clone (or where the folder merely lies inside somebody else's) the commit is
    ``unknown`` and ``dirty`` is None.
    """
    git = partial(_output, "git", "-C", str(root))
    top, commit = git("rev-parse", "--show-toplevel"), git("rev-parse", "HEAD")
    if top is None or commit is None or Path(top).resolve() != Path(root).resolve():
        return {"commit": UNKNOWN, "dirty": None}
    changes = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that the project asks for, by name.

    The names are those of ``envs/requirements.in``: one rule's environment holds only some, and
    those that it lacks are left out.
    """
    listing = ROOT / "envs" / "requirements.in"
    text = listing.read_text(encoding="utf-8") if listing.is_file() else ""
    names = re.findall(r"^\s*([A-Za-z0-9._-]+)", text, re.MULTILINE)
    return {name: version for name in names if (version := installed_version(name))}


def describe_device() -> str:
    """Return this machine's processor, its number of cores, and its graphics cards if any."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if match := re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE):
            processor = match[1]
    cards = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or ""
    return "; ".join(
        [f"{processor}, {os.cpu_count()} cores", *filter(None, [", ".join(cards.splitlines())])]
    )


def _script(job: Any) -> str:
    """Return a job's script, which has its rule's name, or that of the parameter ``script``."""
    return _from_root(str(Path(job.scriptdir, f"{job.params.get('script', job.rule)}.py")))


def _weights(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        if "entry" in value and "weights" in value:
            yield value["entry"], value["weights"]
        for part in value.values():
            yield from _weights(part)
    elif isinstance(value, list):
        for part in value:
            yield from _weights(part)


def _from_root(name: str) -> str:
    """Return a path without the place where somebody unpacked the workflow.

    Results keep the name that they have in the working directory, which may lie anywhere.
    """
    path = Path(name)
    outside = path.is_absolute() or ".." in path.parts
    if outside and path.resolve().is_relative_to(ROOT):
        return str(path.resolve().relative_to(ROOT))
    return name


def _write(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, default=str)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(text + "\n", encoding="utf-8")
    os.replace(part, path)


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
