"""The lineage of a result: the chain of files and rules back to the sources.

``python -m scripts.commands.lineage demo/results/tables/table5.csv [--full]``
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.commands.command_line import exit_status
from scripts.common.errors import UserError
from scripts.common.provenance import LOGS

INDENT = "  "


@dataclass
class Origin:
    """A file and how it came to be.

    Attributes:
        path: as the workflow names it.
        rule: the rule that made it; None for a source.
        finished: when (UTC).
        script: the script that made it, and the checksum of its code.
        parents: the files that it was made from.
    """

    path: str
    rule: str | None = None
    finished: datetime | None = None
    script: str = ""
    parents: list["Origin"] = field(default_factory=list)

    @cached_property
    def rules(self) -> frozenset[str | None]:
        """The rules between this file and its sources; files that are alike have the same."""
        return frozenset({self.rule}.union(*(parent.rules for parent in self.parents)))


class Records:
    """What the jobs of a run have left on record, beside their logs."""

    def __init__(self, directory: Path):
        """Read the records of the working directory ``directory``; of one file the latest counts.

        Raises:
            UserError: the workflow never ran there.
        """
        self.directory = Path(directory)
        self._origins: dict[str, Origin] = {}
        found = sorted(records_in(directory), key=lambda record: record["finished"])
        self._records = {name: record for record in found for name in record["outputs"]}
        if not found:
            raise UserError(
                f"{self.directory} has no record of a run; run the workflow there, or name "
                "another folder with --directory (the demo's is demo)"
            )

    def trace(self, path: str) -> Origin:
        """Return where a file came from, with all that it was made from."""
        if path not in self._origins:
            origin = self._origins[path] = Origin(path)
            if record := self._records.get(path):
                origin.rule = record["rule"]
                origin.finished = datetime.fromisoformat(record["finished"])
                code = f" (checksum {record['code']})" if record["code"] else ""
                origin.script = f"{record['script']}{code}"
                origin.parents = [self.trace(name) for name in dict.fromkeys(record["inputs"])]
        return self._origins[path]


def records_in(directory: Path) -> Iterator[dict[str, Any]]:
    """Yield the records that jobs have left in a working directory, in the order of their logs."""
    for path in sorted((directory / LOGS).rglob("*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def describe_lineage(target: str, directory: Path, *, full: bool = False) -> Iterator[str]:
    """Yield the lines that show where ``target`` came from, one file a line, sources deepest.

    A branch that was shown is not shown again. Files of one rule that the same rules lead to
    (the shards of a generator) are shown once, with the number of the others.

    Args:
        target: a file that the workflow made, as it names it.
        directory: the working directory of the workflow.
        full: show every file, also those that are like another.

    Raises:
        UserError: the file was not made by the workflow.
    """
    records = Records(directory)
    origin = records.trace(target)
    if origin.rule is None:
        raise UserError(
            f"{target} has no record in {directory}/{LOGS}; give an output of the workflow "
            "as it is named there, such as results/tables/table5.csv"
        )
    yield from _lines(origin, records.directory, 0, set(), full)


def _lines(
    origin: Origin, directory: Path, depth: int, shown: set[str], full: bool
) -> Iterator[str]:
    known = origin.path in shown
    shown.add(origin.path)
    yield INDENT * depth + origin.path + _remark(origin, directory, folded=known)
    if known:
        return
    if origin.script:
        yield INDENT * (depth + 1) + f"code: {origin.script}"
    for group in _groups(origin.parents, full):
        yield from _lines(group[0], directory, depth + 1, shown, full)
        if len(group) > 1:
            how = f"by {group[0].rule}, alike" if group[0].rule else "sources"
            yield (
                INDENT * (depth + 1)
                + f"... and {len(group) - 1:,} more {how}: {group[1].path}"
                + (f" ... {group[-1].path}" if len(group) > 2 else "")
            )


def _groups(parents: list[Origin], full: bool) -> list[list[Origin]]:
    groups: dict[object, list[Origin]] = {}
    for parent in parents:
        # Sources are told apart by their folder: exports are unlike reference images.
        alike = (parent.rule, parent.rules) if parent.rule else str(Path(parent.path).parent)
        groups.setdefault(parent.path if full else alike, []).append(parent)
    return list(groups.values())


def _remark(origin: Origin, directory: Path, *, folded: bool) -> str:
    there = (directory / origin.path).exists()
    if origin.rule is None:
        # A result that no job has on record: of a version that kept none, or copied without logs.
        what = "no record" if Path(origin.path).parts[0] == "results" else "source"
        return f"  ({what}{'' if there else ', not there any more'})"
    if folded:
        return f"  ({origin.rule}, see above)"
    when = f", {origin.finished:%Y-%m-%d %H:%M:%S} UTC" if origin.finished else ""
    return f"  ({origin.rule}{when}{'' if there else ', not there any more'})"


def place_of_run(target: str, directory: Path | None) -> tuple[Path, str]:
    """Return the working directory of the run that made a file, and the file's name in it.

    Args:
        target: a file, as the workflow names it or seen from here.
        directory: the working directory; by default the nearest folder above the file in which
            the workflow ran.

    Raises:
        UserError: the workflow never ran in any folder above the file.
    """
    if directory is not None:
        inside = Path(os.path.relpath(target, directory))
        named_from_here = not (directory / target).exists() and Path(target).exists()
        return directory, str(inside) if named_from_here else os.path.normpath(target)
    for folder in Path(target).absolute().parents:
        if any(records_in(folder)):
            return Path(os.path.relpath(folder)), os.path.relpath(target, folder)
    elsewhere = [place for place in Path().glob(f"*/{target}") if place.exists()]
    hint = f"; did you mean {elsewhere[0]}?" if elsewhere else ""
    raise UserError(
        f"no workflow ran in the folder of {target} or in one above it; give the path of a file "
        f"that it made, or its working directory with --directory{hint}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the lineage of one file; 1 if it has none."""
    parser = argparse.ArgumentParser(description="Print the chain from a result to its sources.")
    parser.add_argument("target", help="an output, such as results/tables/table5.csv")
    parser.add_argument(
        "--directory", type=Path, help="where the workflow ran; by default it is looked for"
    )
    parser.add_argument("--full", action="store_true", help="show files that are like another")
    options = parser.parse_args(arguments)

    def show() -> None:
        directory, target = place_of_run(options.target, options.directory)
        for line in describe_lineage(target, directory, full=options.full):
            print(line)

    return exit_status(show)


if __name__ == "__main__":
    sys.exit(main())
