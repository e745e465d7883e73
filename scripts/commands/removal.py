"""Take what the removal list names out of everything that a run has made.

``python -m scripts.commands.removal --directory demo`` (or ``make remove``)

It is no rule: a rule's outputs would be newer than all that was made from them, and one removed
prompt would have millions of others looked at again. Here rows and bytes are taken out where they
lie, the files keep their dates, and Snakemake sees nothing to do but to draw again what showed
single prompts (the gallery, the maps, Figures 1, 2, 3, 7, 8, 10 and 11) and to count again (the funnel).
New runs leave the same prompts out
when they collect prompts. What was counted, measured or trained before stays as it was.

Results that are copied elsewhere after a removal must keep their dates (``cp -a``, ``rsync -a``);
where they did not, ``snakemake --touch --cores 1`` puts the dates in order and runs nothing.
"""

import argparse
import json
import os
import shutil
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.commands.command_line import exit_status, refuse_under_way
from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from scripts.common.progress import progress
from scripts.common.segments import PATTERN, items_in
from scripts.curate.removal_list import RemovalList, read_removals
from scripts.publish.refresh_release import SUMS, refresh_release

LIST = Path(__file__).parents[2] / "config/removals.txt"
KEYS = ("uuid", "UUID", "item", "query", "reference", "message_id")
"""Columns that say of which prompt, or of which of its messages, a row is."""
UUID = 36
"""Characters of a prompt's UUID, which the names of its video's frames begin with."""
PLACE = ("offset", "size_bytes", "tar")
"""Columns that say where the bytes of a row's item lie."""
DRAWN_AGAIN = (
    *(f"figures/figure{number}.*" for number in (1, 2, 3, 7, 8, 10, 11)), "maps/*/*",
    "figures/funnel*", "tables/funnel*", "analysis/account/*", "report.zip",
    "report/index.html"
)  # fmt: skip
"""What shows single prompts or counts them; Snakemake makes these few again from what is left."""
COPIES = ("capsule", "gallery")
"""Copies of results and their checksums; they go whole, and are made again when they are asked for."""
_BLANK = b"\0" * (1 << 20)


def remove_items(results: Path, removals: RemovalList) -> Counter[str]:
    """Take all that belongs to the listed prompts out of a results folder, and say what went.

    It may be killed and run again: a row goes after the bytes to which it points.

    Args:
        results: the results folder of a run that is not running; or a release, wherever it lies.
        removals: the list.

    Returns:
        Counts by kind: prompts, messages, rows, videos and pictures, items of ledgers.

    Raises:
        UserError: a table cannot be read.
    """
    gone: Counter[str] = Counter()
    uuids = _listed_prompts(results, removals)
    messages, kept_rejects = results / "messages", results / "rejects/messages"
    moved: set[str] = set()
    for path in sorted(messages.glob("*.parquet")):
        moved |= _move_messages(path, kept_rejects / path.name, uuids)
    gone["prompts"], gone["messages"] = len(uuids), len(moved)
    ids = pa.array(sorted(uuids | moved), pa.string())
    for path in progress(_tables(results), "tables"):
        if not {messages, kept_rejects} & {*path.parents}:
            taken = _take_out(path, ids)
            gone += taken if ".ledger" not in path.parts else Counter()  # the same, once more
    gone += _clear_ledger(results / ".ledger", uuids)
    if gone["rows"]:
        for pattern in DRAWN_AGAIN:
            for path in results.glob(pattern):
                path.unlink()
        for name in COPIES:
            shutil.rmtree(results / name, ignore_errors=True)
        for release in (results, results / "release"):
            if (release / SUMS).exists():
                _refresh(release)
    return gone


def _refresh(release: Path) -> None:
    """Have a release state what is left; its card keeps its date, as all that is only less."""
    dates = {path: path.stat() for path in release.iterdir() if path.is_file()}
    refresh_release(release)
    for path, date in dates.items():
        os.utime(path, ns=(date.st_atime_ns, date.st_mtime_ns))


def blank_member(tar: Path, offset: int, size_bytes: int) -> bool:
    """Overwrite one member of a tar with zeros, under a name that says nothing.

    Members after it stay where their indexes say; a tar of 20 GB is not written anew for one of
    them. Readers of WebDataset pass over names like ``__removed__``.

    Returns:
        Whether it was done: a tar that is a link belongs to somebody else and is left alone.
    """
    if tar.is_symlink() or not tar.exists():
        return False
    member = tarfile.TarInfo("__removed__")
    member.size, member.mtime, member.mode = size_bytes, 0, 0o644
    dates = tar.stat()
    with open(tar, "r+b") as file:
        file.seek(offset - tarfile.BLOCKSIZE)
        file.write(member.tobuf(tarfile.USTAR_FORMAT))
        for start in range(0, size_bytes, len(_BLANK)):
            file.write(_BLANK[: min(len(_BLANK), size_bytes - start)])
    os.utime(tar, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    return True


def _listed_prompts(results: Path, removals: RemovalList) -> set[str]:
    """Return the UUIDs to take out: the listed ones, and the listed users' prompts."""
    uuids = set(removals.uuids)
    users = pa.array(sorted(removals.users), pa.string())
    tables = [*results.glob("prompts/*.parquet"), *results.glob("data/*.parquet")]
    for path in [*tables, results / "dataset.parquet"]:
        if not removals.users or not path.exists():
            continue
        key, user = ("uuid", "user_id") if path.parent.name == "prompts" else ("UUID", "UserID")
        if {key, user} <= set(pq.read_schema(path).names):
            table = pq.read_table(path, columns=[key, user], partitioning=None)
            uuids |= set(table.filter(pc.is_in(table[user], value_set=users))[key].to_pylist())
    return uuids


def _move_messages(messages: Path, rejects: Path, uuids: set[str]) -> set[str]:
    """Move the messages of removed prompts to the rejected ones, so that the sums still hold."""
    table = pq.read_table(messages, partitioning=None)
    ids = {prompt: prompt_uuid(prompt) for prompt in table["prompt"].unique().to_pylist()}
    mask = pa.array([ids[prompt] in uuids for prompt in table["prompt"].to_pylist()], pa.bool_())
    moved = table.filter(mask)["message_id"].to_pylist()
    if moved:
        if rejects.exists():
            before = pq.read_table(rejects, partitioning=None)
            there = set(before["message_id"].to_pylist())
            rows = [{"message_id": m, "reason": "removed"} for m in moved if m not in there]
            added = pa.Table.from_pylist(rows, schema=before.schema)
            _replace(rejects, [pa.concat_tables([before, added])], before.schema)
        _replace(messages, [table.filter(pc.invert(mask))], table.schema)
    return set(moved)


def _tables(results: Path) -> list[Path]:
    """Return all tables, those of the ledger last: its tars are links to the results' own."""
    tables = (
        path
        for path in results.rglob("*.parquet")
        if not path.is_symlink() and path.relative_to(results).parts[0] not in COPIES
    )
    return sorted(tables, key=lambda path: (".ledger" in path.parts, path))


def _take_out(path: Path, ids: pa.Array) -> Counter[str]:
    """Take the rows of ``ids`` out of one table, and first the bytes to which they point."""
    gone: Counter[str] = Counter()
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}); delete it and run again") from None
    schema = file.schema_arrow
    keys, place = ([name for name in names if name in schema.names] for names in (KEYS, PLACE))
    hits = _rows(file.read(columns=keys), keys, ids) if keys else None
    if hits is None or not pc.any(hits).as_py():
        return gone
    gone["rows"] = pc.sum(hits).as_py()
    if {"offset", "size_bytes"} <= {*place}:
        places = file.read(columns=place).filter(hits).to_pylist()
        gone["videos and pictures"] = sum(
            blank_member(path.with_suffix(".tar"), place["offset"], place["size_bytes"])
            for place in places
            if place["offset"] is not None and place.get("tar") is None  # else it lies elsewhere
        )
    left = (
        batch.filter(pc.invert(_rows(pa.Table.from_batches([batch]), keys, ids).combine_chunks()))
        for batch in file.iter_batches(65_536)
    )
    _replace(path, (pa.Table.from_batches([batch], schema) for batch in left), schema)
    return gone


def _rows(table: pa.Table, keys: list[str], ids: pa.Array) -> pa.ChunkedArray:
    """Return which rows name one of ``ids`` in one of the key columns, or a frame of its video."""
    named = (pc.utf8_slice_codeunits(table[key], 0, UUID) for key in keys)
    return reduce(pc.or_, (pc.is_in(each, value_set=ids) for each in named))


def _replace(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write a table anew in its place, with the date that it had."""
    dates = path.stat()
    part = path.with_name(f"{path.name}.part")
    with pq.ParquetWriter(part, schema, compression="zstd", version="2.6") as writer:
        for table in tables:
            writer.write_table(table)
    os.utime(part, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    os.replace(part, path)


def _clear_ledger(ledger: Path, uuids: set[str]) -> Counter[str]:
    """Take out of unfinished work what it keeps of removed prompts."""
    gone: Counter[str] = Counter()
    for path in list(ledger.rglob("*")) if uuids else []:
        if path.name[:UUID] in uuids and path.is_file():
            path.unlink()
            gone["items of ledgers"] += 1
        elif path.match(PATTERN):
            for item in (one for one in items_in(path) if one.name[:UUID] in uuids):
                blank_member(path, item.start, item.end - item.start)
                gone["items of ledgers"] += 1
        elif path.name == "finished.versions":
            versions = json.loads(path.read_text())
            left = {name: version for name, version in versions.items() if name[:UUID] not in uuids}
            if len(left) < len(versions):
                path.write_text(json.dumps(left))
    return gone


def still_there(results: Path, removals: RemovalList) -> int:
    """Return how many listed prompts a run's data set still holds."""
    path = results / "dataset.parquet"
    if not removals or not path.exists():
        return 0
    uuids = pa.array(sorted(_listed_prompts(results, removals)), pa.string())
    column = pq.read_table(path, columns=["UUID"], partitioning=None)["UUID"]
    return pc.sum(pc.is_in(column, value_set=uuids)).as_py() or 0


def main() -> int:
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--directory", type=Path, default=Path(), help="folder of the run")
    parser.add_argument("--release", type=Path, help="folder of a release, in place of a run")
    parser.add_argument("--list", type=Path, default=LIST, help="the removal list")
    arguments = parser.parse_args()

    def remove() -> None:
        if not arguments.release:
            refuse_under_way(arguments.directory)
        removals = read_removals(arguments.list)
        gone = remove_items(arguments.release or arguments.directory / "results", removals)
        listed = f"{len(removals.uuids):,} UUIDs and {len(removals.users):,} users are listed"
        print(f"{listed}; taken out: " + ", ".join(f"{what} {n:,}" for what, n in gone.items()))

    return exit_status(remove)


if __name__ == "__main__":
    sys.exit(main())
