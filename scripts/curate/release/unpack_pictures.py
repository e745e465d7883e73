"""Unpack the small pictures of one released table that are in no tar (Section 3)."""

import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.release import RELEASED_MEMBERS
from scripts.common.tables import write_table
from scripts.curate.release.released_members import PICTURE, Member, inspect, rejected_row
from scripts.curate.release.released_rows import iterate_pictures

EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp"}


def unpack_pictures(
    table: Path, others: Sequence[Path], tar: Path, members: Path, *, decode: bool
) -> Counts:
    """Write a tar of the pictures that are nowhere else, byte for byte as the table has them.

    Parquet compresses pages, so that a picture in a table has no place of its own; the table's
    are small (8 kB a row, all columns included), and are the only ones that are copied.

    Args:
        table: a released Parquet file.
        others: tables of ``RELEASED_MEMBERS`` of what goes before this table, such as the tars
            of full-size pictures; what they have is not unpacked.
        tar: members ``<uuid>.<jpg|png|webp>``, in the order of the table.
        members: table of ``RELEASED_MEMBERS``, by name.
        decode: decode every picture to its end; else only its header is read.

    Returns:
        Counts of rows.

    Raises:
        UserError: the table cannot be read, or has no pictures.
    """
    known = _good_members(others)
    rows, taken = [], set()
    tar.parent.mkdir(parents=True, exist_ok=True)
    part = tar.with_name(f"{tar.name}.part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number, (uuid, data) in enumerate(progress(iterate_pictures(table), table.stem)):
            member = Member(uuid or f"row {number}", uuid, archive.offset + tarfile.BLOCKSIZE,
                            len(data))  # fmt: skip
            reason = _why_not(uuid, known, taken)
            row = rejected_row(member, reason) if reason else None
            row = row or inspect(member, data, PICTURE, decode=decode)
            if row["status"] == OK:
                header = tarfile.TarInfo(f"{uuid}.{EXTENSIONS.get(row['codec'], 'img')}")
                header.size, header.mtime, header.mode = len(data), 0, 0o644
                archive.addfile(header, io.BytesIO(data))
                archive.members.clear()  # tarfile would keep them all in memory
                row["name"] = header.name
                taken.add(uuid)
            rows.append(row)
    os.replace(part, tar)
    write_table(rows, members, RELEASED_MEMBERS, sort_by=["name", "status"])
    counts = Counts(declared=len(rows))
    for row in rows:
        counts.reject(row["reason"]) if row["status"] == REJECTED else counts.keep()
    return counts


def _good_members(tables: Sequence[Path]) -> set[str]:
    if not tables:
        return set()
    found = pl.scan_parquet([str(path) for path in tables]).filter(pl.col("status") == OK)
    return set(found.select("uuid").collect()["uuid"])


def _why_not(uuid: str | None, known: set[str], taken: set[str]) -> str | None:
    if uuid is None:
        return "no_uuid"
    if uuid in known:
        return "in_another_archive"
    return "duplicate_member" if uuid in taken else None


if __name__ == "__main__":
    run_job(unpack_pictures, snakemake)
