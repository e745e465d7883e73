"""Index what an outside source holds, where it lies, and cut real videos into pieces."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected
from scripts.common.fingerprints import sha256_of
from scripts.common.identity import find_uuid, item_uuid, seeded_order
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, FileLedger, RowLedger
from scripts.common.pictures import decode_picture, picture_properties
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import ITEM_INDEX, OK, PLACED_INDEX, REJECTED
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import read_table, write_table
from scripts.common.video import VideoProperties, cut_video, piece_frames, read_header
from scripts.sources.members import VIDEO, Member, MemberReader, find_files, list_members
from scripts.sources.published_tables import read_columns

SCRIPT = "scripts/sources/index_source.py"
MOST_MEGAPIXELS = 34
"""Of a frame of a real video: 8K has 33."""
Found = Mapping[str, Member]


def index_source(
    tar: Path,
    index: Path,
    *,
    source: str,
    layout: Mapping[str, Any],
    kind: str,
    shard: str,
    seed: int,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the index of one shard of a source, and a tar of what cannot be read in place.

    A picture or video that lies as it is in a tar, in a zip or by itself stays there, and the index
    names the file. What is compressed, and the pieces of real videos (Supplement 13), are written
    into the tar. A picture is decoded as proof; of a video that is not cut the header is read. An
    item whose name holds a UUID has that; any other has a version-5 one of source and name.

    Args:
        tar: members ``<uuid>.<ending>``; perhaps none.
        index: ``PLACED_INDEX``; ``group`` is the video that a piece is of.
        source: name of the entry.
        layout: of the entry: ``files``, patterns of archives and of loose files, of which this
            shard takes every n-th; ``shards``, n; ``members``, an expression that names in archives
            must match; ``items``, how many at most, a seeded choice, an equal part from each shard;
            ``table``, the list (``file``, and its ``column`` of names) of those that are wanted;
            ``segment_s``, the length of pieces (s).
        kind: picture or video.
        shard: name of the shard.
        seed: of the run.
        ledger_root: where finished items are kept.

    Returns:
        Counts of pictures, videos or pieces; ``not_drawn`` beside what the index has.

    Raises:
        UserError: there is no file, or none can be read.
    """
    counts = Counts()
    number, shards = int(shard), layout.get("shards", 1)
    found = _unique(_members(layout, kind, counts.notes, number, shards), source)
    if "table" in layout:
        names = read_columns(layout["table"]["file"], [layout["table"]["column"]]).to_series()
        known = {PurePosixPath(name).stem for name in names}
        found = {uuid: one for uuid, one in found.items() if one.reason or one.stem in known}
    if "items" in layout:
        share = (layout["items"] + shards - 1 - number) // shards
        drawn = set(seeded_order(found, seed, "sources", source)[:share])
        counts.reject("not_drawn", len(found) - len(drawn))
        found = {uuid: member for uuid, member in found.items() if uuid in drawn}

    key = ledger_key(SCRIPT, source=source, kind=kind, segment_s=layout.get("segment_s"))
    folder = ledger_root / "sources" / key / shard
    reader = MemberReader()
    cuts = "segment_s" in layout
    placed = {uuid: one for uuid, one in found.items() if cuts or one.offset is not None}
    rows = _look(placed, folder / "placed", kind, reader, source)
    groups: Mapping[str, str] = {}
    if cuts:
        cutter = _Cutter(found, reader, layout["segment_s"])
        rows, wanted = cutter.plan(rows, source)
        groups = {uuid: video for uuid, (video, _) in wanted.items()}
        versions = {uuid: _version(found[video]) for uuid, video in groups.items()}
        read, ending = (lambda uuid: cutter.piece(*wanted[uuid])), "mp4"
    else:
        versions = {uuid: _version(one) for uuid, one in found.items() if uuid not in placed}
        read, ending = (lambda uuid: _packed(reader.read(found[uuid]), kind)), _ending(found)
    ledger = FileLedger(folder / "packed")
    task = Task(
        name=f"{source} {shard}",
        items=versions,
        ledger=ledger,
        load=lambda: None,
        work=lambda _, values: values,
        finish=lambda uuid, value: ShardItem(uuid, *value, group=groups.get(uuid, uuid)),
        failure="undecodable",
    )
    run([task], read, what=f"{source} {shard}")
    reader.close()
    counts += write_shard(tar, index, ledger.items(task.items, task.faults), ending)
    ledger.finish(tar, index)
    if rows:
        packed = read_table(index, ITEM_INDEX).to_pylist()
        write_table([{"tar": None} | row for row in [*packed, *rows]], index, PLACED_INDEX)
    for row in rows:
        counts.reject(row["reason"]) if row["status"] == REJECTED else counts.keep()
    counts.notes += task.notes
    return counts


def _members(
    layout: Mapping[str, Any], kind: str, notes: list[str], shard: int, shards: int
) -> Iterator[Member]:
    wanted = re.compile(layout.get("members", ""))
    for file in find_files(layout["files"])[shard::shards]:
        for member in list_members(Path(file), kind, notes):
            if wanted.search(member.name):
                yield member


def _unique(members: Iterable[Member], source: str) -> Found:
    """Return members by UUID; one whose UUID is taken, or that cannot be read, has one of its own."""
    found: dict[str, Member] = {}
    for member in members:
        uuid = find_uuid(member.stem) or item_uuid(source, member.stem)
        if member.reason is None and uuid in found:
            member = Member(member.name, member.file, member.size_bytes, reason="duplicate_member")
        if member.reason:
            uuid = item_uuid(source, f"{member.file.name}\n{member.name}\n{len(found)}")
        found[uuid] = member
    return found


def _look(
    members: Found, folder: Path, kind: str, reader: MemberReader, source: str
) -> list[dict[str, Any]]:
    """Return a row of ``PLACED_INDEX`` for each member, which stays where it is."""

    def look(uuid: str) -> dict[str, Any]:
        member = members[uuid]
        data = reader.read(member)
        properties = asdict(_packed(data, kind)[1])
        place = {"size_bytes": len(data), "sha256": sha256_of(data), "offset": member.offset}
        return _EMPTY | properties | place | {"status": OK, "tar": str(member.file)}

    task = Task(
        name=source,
        items={uuid: _version(member) for uuid, member in members.items()},
        ledger=RowLedger(folder, PLACED_INDEX, key="uuid"),
        load=lambda: None,
        work=lambda _, rows: rows,
        finish=lambda uuid, row: row | {"uuid": uuid, "group": uuid},
        failure="undecodable",
    )
    run([task], look, what=source)
    return task.rows(_rejected).to_list()


_EMPTY = dict.fromkeys(PLACED_INDEX.names)


def _rejected(uuid: str, reason: str) -> dict[str, Any]:
    return _EMPTY | {"uuid": uuid, "group": uuid, "status": REJECTED, "reason": reason}


class _Cutter:
    """Gives pieces of videos; a video is decoded once if its pieces are asked for in order."""

    def __init__(self, videos: Found, reader: MemberReader, seconds: float):
        self._videos, self._reader, self._seconds = videos, reader, seconds
        self._video = ""
        self._next = 0
        self._pieces: Iterator[tuple[bytes, VideoProperties]] = iter(())

    def plan(
        self, rows: Sequence[Mapping[str, Any]], source: str
    ) -> tuple[list[dict[str, Any]], dict[str, tuple[str, int]]]:
        """Return rows of the videos that give no piece, and piece -> its video, which one it is."""
        lost, pieces = [], {}
        for row in rows:
            reason, number = row["reason"], 0
            if row["status"] == OK:
                try:
                    number = row["frames"] // piece_frames(row["fps"], self._seconds)
                    reason = "too_short"
                except Rejected as fault:
                    reason = fault.reason
            if not number:
                lost.append(_rejected(row["uuid"], reason))
            for piece in range(number):
                pieces[item_uuid(source, f"{row['uuid']}/{piece}")] = (row["uuid"], piece)
        return lost, pieces

    def piece(self, video: str, number: int) -> tuple[bytes, VideoProperties]:
        """Return one piece of a video.

        Raises:
            Rejected: as ``cut_video``; no_frames if the video ends before it.
        """
        if video != self._video or number < self._next:
            data = self._reader.read(self._videos[video])
            self._video, self._next = video, 0
            self._pieces = cut_video(data, self._seconds, max_megapixels=MOST_MEGAPIXELS)
        for piece in self._pieces:
            self._next += 1
            if self._next > number:
                return piece
        raise Rejected("no_frames", f"there is no piece {number}")


def _packed(data: bytes, kind: str) -> tuple[bytes, VideoProperties]:
    """Return bytes that are to be kept, and their properties; a picture is decoded as proof."""
    if kind == VIDEO:
        return data, read_header(data)
    codec = {b"\xff\xd8": "jpeg", b"\x89P": "png", b"RI": "webp"}.get(data[:2], "")
    return data, picture_properties(decode_picture(data), codec)


def _version(member: Member) -> str:
    """Return what an item was made from: a file of this size and date, and which part of it."""
    status = member.file.stat()
    return f"{member.file} {status.st_size} {status.st_mtime_ns} {member.number} {member.offset}"


def _ending(found: Found) -> str:
    names = (Path(member.name).suffix[1:].lower() for member in found.values())
    return next(names, "bin")


if __name__ == "__main__":
    run_job(index_source, snakemake)
