"""A copy of the workflow in which the demo can run, be changed, and be asked what it would do."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.common.code import ROOT

COLLECTING = {"all", "annotations", "dataset", "splits", "tables", "figures"}


@dataclass(frozen=True)
class Job:
    """One planned job: its rule and the wildcards in the order of their names."""

    rule: str
    wildcards: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, wildcard: str) -> str:
        return dict(self.wildcards)[wildcard]


@dataclass(frozen=True)
class Workflow:
    """A copy of the workflow and the folder in which it ran."""

    root: Path

    @property
    def results(self) -> Path:
        """Where the demo's results lie."""
        return self.root / "demo" / "results"

    def snakemake(self, *arguments: str, show: bool = False) -> subprocess.CompletedProcess:
        """Run Snakemake in the copy with the demo's profile."""
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/demo", *arguments]
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0"}
        environment.pop("PYTHONPATH", None)  # the copy's own modules, not those of this process
        return subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            text=True,
            stdout=None if show else subprocess.PIPE,
            stderr=None if show else subprocess.STDOUT,
        )

    def plan(self, *arguments: str) -> set[Job]:
        """Return the jobs that Snakemake would run now, without the collecting ones."""
        return {job for job, _ in self._planned(*arguments)}

    def causes(self, *arguments: str) -> set[Job]:
        """Return the planned jobs that run for a reason of their own, and not for another's result.

        Of a job that another's result reaches, Snakemake says nothing else.
        """
        another = "Input files updated by another job"
        return {
            job
            for job, reasons in self._planned(*arguments)
            if any(not reason.startswith(another) for reason in reasons.split("; "))
        }

    def _planned(self, *arguments: str) -> list[tuple[Job, str]]:
        answer = self.snakemake(*arguments, "--dry-run")
        assert answer.returncode == 0, answer.stdout[-3000:]
        jobs = re.findall(r"^rule (\w+):\n((?: {4}.*\n)*)", answer.stdout, re.M)
        planned = []
        for rule, body in jobs:
            if rule in COLLECTING:
                continue
            found = re.search(r"^ {4}wildcards: (.*)$", body, re.M)
            pairs = [pair.split("=", 1) for pair in found.group(1).split(", ")] if found else []
            reason = re.search(r"^ {4}reason: (.*)$", body, re.M).group(1)
            planned.append(
                (Job(rule, tuple(sorted((name, value) for name, value in pairs))), reason)
            )
        assert planned or "Nothing to be done" in answer.stdout, answer.stdout[-3000:]
        return planned

    @contextlib.contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """Replace ``old`` by ``new`` in a file of the copy for as long as the block lasts."""
        file = self.root / path
        before = file.read_text()
        assert before.count(old) >= 1, f"{path} has no {old!r}"
        file.write_text(before.replace(old, new, 1))
        try:
            yield
        finally:
            file.write_text(before)


def copy_workflow(target: Path) -> Path:
    """Copy what git tracks, or would track, as it stands in the working tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source = ROOT / name
        if source.is_file() or source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    return target
