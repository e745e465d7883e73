"""Fetch what a configuration needs and that has an address: weights, sources, released files.

``make fetch TARGET=results/tables/table5.csv CONFIG=my.yaml``. Sizes are told first; what breaks off
goes on where it stopped; ``config/fetched.json`` keeps sizes, checksums and commits.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from scripts.commands.check import read_configuration, study_of, was_released
from scripts.common.code import ROOT
from scripts.common.configuration import wanted_entries
from scripts.common.errors import UserError
from scripts.common.fetched import LOCK, Lock, read_lock, write_lock
from scripts.common.progress import progress_bar
from scripts.common.study import Study
from scripts.common.weight_files import parts_of
from scripts.curate.release.released_layout import REPOSITORY, released_files
from scripts.sources.remote_files import (
    ByHand,
    RemoteFile,
    download,
    of_hub,
    of_links,
    of_list,
)

WORKERS = 8
PREPARED = ("generate.", "annotate.")
"""Keys whose entries make what every target is made of."""
NEEDS = {
    "table3": ("detect.detectors", "split.tip_id"),
    "table4": ("detect.videomae", "split.tip_id"),
    "table5": ("trace.", "split.tip_trace"),
    "table7": ("evaluate.",),
    "figure6": ("evaluate.",),
    "tracer_training": ("trace.",),
    "figure4": (),
    "figure5": (),
    "dataset": (),
}
"""Targets, by the name of their file -> keys whose entries they need besides."""


def wanted(study: Study, targets: Sequence[str]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """Return the entries that targets need, less those whose work was released.

    A target that is not in ``NEEDS`` needs all of the configuration.
    """
    names = [Path(target).name.partition(".")[0] for target in targets]
    under: tuple[str, ...] = PREPARED
    for name in names or [""]:
        under += NEEDS.get(name, ("",))
    entries = wanted_entries(study.config, study.sheets, ROOT / "config", under)
    return {key: entry for key, entry in entries.items() if not was_released(study, *key)}


def find_files(
    study: Study, targets: Sequence[str], lock: Lock
) -> tuple[list[RemoteFile], list[str]]:
    """Return the files that have an address, and sentences about what must be got by hand.

    Args:
        study: of the configuration.
        targets: that are to be made; all by default.
        lock: gets the commits of revisions that are none.

    Raises:
        UserError: an address does not answer, or has nothing.
    """
    files: dict[str, RemoteFile] = {}
    by_hand = []
    for places in _places(study, targets, lock):
        try:
            for file in places():
                files.setdefault(f"{file.address} {file.path}", file)
        except ByHand as sentence:
            by_hand.append(str(sentence))
    return list(files.values()), by_hand


def _places(
    study: Study, targets: Sequence[str], lock: Lock
) -> Iterator[Callable[[], Iterable[RemoteFile]]]:
    """Yield what lists the files of each thing that is wanted, or says that it cannot."""
    if study.is_release:
        release = study.config["release"]
        wants_data = not targets or any("dataset" in target for target in targets)
        names = {name: study.fields("generators", name)["released"] for name in study.released}
        fields = {"hub": REPOSITORY, "revision": "main",
                  "files": released_files(release, names, release["annotations"] * wants_data)}  # fmt: skip
        yield lambda: of_hub("the released data set", fields, lock, kind="dataset",
                             into=release["folder"])  # fmt: skip
    for (sheet, name), entry in wanted(study, targets).items():
        what = f"config/{sheet}.yaml: {name}"
        yield lambda what=what, entry=entry: _of_entry(what, entry, lock)


def _of_entry(what: str, entry: Mapping[str, Any], lock: Lock) -> Iterator[RemoteFile]:
    weights, source = entry.get("weights") or {}, entry.get("fetch") or {}
    parts = parts_of(entry).values()
    for place in (weights, *parts):
        if "hub" in place:
            names = [f"{place['subfolder']}/*"] if "subfolder" in place else []
            files = {"files": [place["file"]] if "file" in place else names}
            yield from of_hub(what, {**place, **files}, lock, kind="model")
    if "url" in weights:
        if "torchscript" in weights["path"] and "sha256" not in weights:
            raise ByHand(
                f"{what}: {weights['url']} is a program; look at it, and put the 'sha256' of what "
                "you trust into its weights"
            )
        yield from of_links(what, weights, lock)
    if "hub" in source:
        yield from of_hub(what, source, lock, kind="dataset", into=source["into"])
    if "urls" in source:
        yield from of_links(what, source, lock)
    if "list" in source:
        yield from of_list(what, source, lock)
    missing = [one["path"] for one in (weights, *parts) if "path" in one and "url" not in one]
    missing += entry["layout"]["files"] if "layout" in entry and not source else []
    missing = [path for path in missing if not any(Path().glob(path))]
    if missing or "unavailable" in entry:
        page = entry.get("page")
        raise ByHand(f"{what}: {', '.join(missing) or entry['unavailable']}"
                     + (f"; see {page}" if page else ""))  # fmt: skip


def describe(files: Sequence[RemoteFile]) -> list[str]:
    """Return the plan: for each thing that is wanted how many files are left, and their size."""
    lines, sums = [], {}
    for file in files:
        number, size, unknown = sums.get(file.what, (0, 0, 0))
        known = file.size_bytes or file.about_bytes
        sums[file.what] = number + 1, size + known, unknown + (not known)
    for what, (number, size, unknown) in sums.items():
        doubt = f" and {unknown} of unknown size" if unknown else ""
        lines.append(f"{size / 1e9:10.2f} GB  {number:6,} files{doubt}  {what}")
    total = sum(size for _, size, _ in sums.values())
    return [*lines, f"{total / 1e9:10.2f} GB  {len(files):6,} files to fetch"]


def check_room(files: Sequence[RemoteFile]) -> None:
    """Refuse what would not fit on the disks that it goes to.

    Raises:
        UserError: a disk has less room than is needed.
    """
    needed: dict[int, tuple[Path, int]] = {}
    for file in files:
        folder = Path(constants.HF_HUB_CACHE) if file.path is None else file.path.parent
        folder = next(
            one for one in (folder.absolute(), *folder.absolute().parents) if one.exists()
        )
        disk = folder.stat().st_dev
        size = file.size_bytes or file.about_bytes
        needed[disk] = folder, needed.get(disk, (folder, 0))[1] + size
    for folder, size in needed.values():
        free = shutil.disk_usage(folder).free
        if size > free:
            raise UserError(
                f"{folder} has {free / 1e9:.1f} GB of room and {size / 1e9:.1f} GB are needed; make "
                "room, or let 'fetch' of the entries in config/sources.yaml take less"
            )


def fetch(files: Sequence[RemoteFile], lock: Lock, path: Path) -> list[str]:
    """Fetch files side by side, and note each in the lock file once it is there.

    Returns:
        Sentences about those that failed; the others are there.
    """
    faults: list[str] = []
    total = sum(file.size_bytes or file.about_bytes for file in files)
    bar = progress_bar("fetch", total, unit="B", unit_scale=True)
    with bar, ThreadPoolExecutor(WORKERS) as pool:
        jobs = {pool.submit(download, file, bar.update): file for file in files}
        for job in as_completed(jobs):
            try:
                lock["files"][jobs[job].address] = job.result()
                write_lock(lock, path)
            except UserError as error:
                faults.append(str(error))
    return faults


def main() -> int:
    """Tell the plan, fetch, and say what must be got by hand; return 1 if something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--directory", type=Path, default=Path())
    parser.add_argument("--plan", action="store_true", help="tell what would be fetched, no more")
    arguments = parser.parse_args()
    lock = read_lock()
    try:
        config = read_configuration(*arguments.config)
        os.chdir(arguments.directory)
        study = study_of(config)
        files, by_hand = find_files(study, arguments.targets, lock)
        left = [file for file in files if not file.is_there]
        print("\n".join(describe(left)))
        check_room(left)
        faults = [] if arguments.plan else fetch(left, lock, LOCK)
    except UserError as error:
        by_hand, faults = [], [str(error)]
    for sentence in by_hand:
        print(f"by hand: {sentence}", file=sys.stderr)
    for fault in faults:
        print(f"not fetched: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
