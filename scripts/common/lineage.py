"""The lineage of a result: the chain of files and rules back to the sources.

``python -m scripts.common.lineage demo/results/tables/table5.csv [--full]``
"""

import argparse
import json
import os
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from scripts.common.errors import UserError

INDENT = "  "
RECORDS = Path(".snakemake", "metadata")


@dataclass
class Origin:
    """A file and how it came to be.

    Attributes:
        path: as the workflow names it.
        rule: the rule that made it; None for a source.
        finished: when, as Snakemake noted it (UTC).
        parents: the files that it was made from.
        code: the project's modules that made it.
    """

    path: str
    rule: str | None = None
    finished: datetime | None = None
    parents: list["Origin"] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    @cached_property
    def rules(self) -> frozenset[str | None]:
        """The rules between this file and its sources; files that are alike have the same."""
        return frozenset({self.rule}.union(*(parent.rules for parent in self.parents)))


class Records:
    """Snakemake's own notes on the files that it made (``.snakemake/metadata``)."""

    def __init__(self, directory: Path):
        """Open the notes of the working directory ``directory``.

        Raises:
            UserError: the workflow never ran there.
        """
        self.directory = Path(directory)
        self._folder = self.directory / RECORDS
        self._origins: dict[str, Origin] = {}
        if not self._folder.is_dir():
            raise UserError(
                f"{self.directory} has no record of a run; run the workflow there, or name "
                "another folder with --directory (the demo's is demo)"
            )

    def trace(self, path: str) -> Origin:
        """Return where a file came from, with all that it was made from."""
        if path not in self._origins:
            record = self._read(path)
            origin = self._origins[path] = Origin(path, record.get("rule"))
            if record.get("endtime"):
                origin.finished = datetime.fromtimestamp(record["endtime"], UTC)
            for name in record.get("input") or []:
                module = _module(name)
                if module:
                    origin.code.append(module)
                else:
                    origin.parents.append(self.trace(name))
        return self._origins[path]

    def _read(self, path: str) -> dict:
        name = urlsafe_b64encode(path.encode()).decode()
        # Snakemake cuts a name that the file system would not take into folders called @...
        size = os.pathconf(self._folder, "PC_NAME_MAX") - 1
        parts = [name[start : start + size] for start in range(0, len(name), size)]
        place = self._folder.joinpath(*("@" + part for part in parts[:-1]), parts[-1])
        try:
            return json.loads(place.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}


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
            f"{target} has no record in {directory}/.snakemake; give an output of the workflow "
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
    if origin.code:
        more = f" and {len(origin.code) - 1} more" if len(origin.code) > 1 else ""
        yield INDENT * (depth + 1) + f"code: {_own_script(origin)}{more}"
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
        return "  (source)" if there else "  (source, not there any more)"
    if folded:
        return f"  ({origin.rule}, see above)"
    when = f", {origin.finished:%Y-%m-%d %H:%M:%S} UTC" if origin.finished else ""
    return f"  ({origin.rule}{when}{'' if there else ', not there any more'})"


def _own_script(origin: Origin) -> str:
    own = [name for name in origin.code if Path(name).stem == origin.rule]
    return (own or origin.code)[0]


def _module(name: str) -> str | None:
    """Return a module's place in the workflow that ran, which may lie elsewhere by now."""
    path = Path(name)
    if path.suffix != ".py" or "scripts" not in path.parts:
        return None
    last = len(path.parts) - path.parts[::-1].index("scripts") - 1
    return str(Path(*path.parts[last:]))


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
        if (folder / RECORDS).is_dir():
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
    try:
        directory, target = place_of_run(options.target, options.directory)
        for line in describe_lineage(target, directory, full=options.full):
            print(line)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # somebody looked at the first lines only
        sys.stderr.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
