"""What lies where, and what of the ledgers no result uses any more.

``python -m scripts.commands.disk`` (``make du``), with ``--prune`` (``make prune``)
"""

import argparse
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from scripts.commands.command_line import exit_status, refuse_under_way
from scripts.commands.lineage import records_in
from scripts.common.ledger import LEDGER

DAYS = 7.0
"""A ledger that was written to more recently may be of a job that is to go on."""
_KEY = re.compile(r"[0-9a-f]{20}")
_DAY_S = 24 * 3600


def sizes(directory: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Return what results take: (stage, folder) -> (files, bytes), in the order of stages.

    A file that the ledger has as well is one file with two names, and counts with the results. The
    stage is that of the job on record; ``-`` where there is none.

    Args:
        directory: the working directory of a run.
    """
    stages = {
        name: _stage(record) for record in records_in(directory) for name in record["outputs"]
    }
    files: Counter[tuple[str, str]] = Counter()
    taken: Counter[tuple[str, str]] = Counter()
    seen = set()
    found = (path for path in (directory / "results").rglob("*") if path.is_file())
    for path in sorted(found, key=lambda path: (".ledger" in path.parts, path)):
        name, status = path.relative_to(directory), path.lstat()
        stage = name.parts[2] if name.is_relative_to(LEDGER) else stages.get(str(name), "-")
        where = stage, "/".join(name.parts[:-1][:3])
        files[where] += 1
        taken[where] += 0 if (status.st_dev, status.st_ino) in seen else status.st_size
        seen.add((status.st_dev, status.st_ino))
    return {where: (files[where], taken[where]) for where in sorted(files)}


def unused(directory: Path, days: float) -> Iterator[Path]:
    """Yield the ledgers of fingerprints that no job on record used, such as of an older setting.

    Kept are also those that were written to in the last so many days, those of a stage whose records
    are of a version that did not say what they used, and annotations, which may have been paid for.
    """
    records = list(records_in(directory))
    used = {key for record in records for key in record.get("ledgers", ())}
    kept = {"annotate"} | {_stage(record) for record in records if "ledgers" not in record}
    for folder in sorted((directory / LEDGER).glob("*/*")):
        stage, key = folder.parts[-2:]
        if not _KEY.fullmatch(key) or stage in kept or f"{stage}/{key}" in used:
            continue
        newest = max(path.lstat().st_mtime for path in [folder, *folder.rglob("*")])
        if newest <= time.time() - days * _DAY_S:
            yield folder


def prune(directory: Path, days: float) -> None:
    """Delete ``unused`` ledgers, and say what they took.

    Raises:
        UserError: a run is under way.
    """
    refuse_under_way(directory)
    number, freed = 0, 0
    for folder in unused(directory, days):
        states = [path.lstat() for path in folder.rglob("*") if path.is_file()]
        freed += sum(state.st_size for state in states if state.st_nlink == 1)
        number += 1
        shutil.rmtree(folder)
    print(f"{number:,} fingerprints removed from {directory / LEDGER}, {_in_words(freed)} freed")


def show(directory: Path) -> None:
    """Print ``sizes`` as a table."""
    for (stage, folder), (files, size) in sizes(directory).items():
        print(f"{stage:10}{folder:44}{files:>9,} files{_in_words(size):>11}")


def _stage(record: Mapping[str, Any]) -> str:
    return record["script"].split("/")[1]


def _in_words(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def main() -> int:
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--directory", type=Path, default=Path(), help="folder of the run")
    parser.add_argument("--prune", action="store_true", help="delete what no result uses")
    parser.add_argument("--days", type=float, default=DAYS, help="keep what is not so old")
    options = parser.parse_args()
    work = partial(prune, days=options.days) if options.prune else show
    return exit_status(partial(work, options.directory))


if __name__ == "__main__":
    sys.exit(main())
