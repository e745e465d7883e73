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
from scripts.common.schemas.items import OK
from scripts.curate.release.released_members import (
    PICTURE,
    Member,
    inspect,
    rejected_row,
    write_members,
)
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
    elsewhere = [
        pl.scan_parquet(path).filter(pl.col("status") == OK).select("uuid") for path in others
    ]
    known = set(pl.concat(elsewhere).collect()["uuid"]) if elsewhere else set()
    rows, taken = [], set()
    tar.parent.mkdir(parents=True, exist_ok=True)
    part = tar.with_name(f"{tar.name}.part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number, (uuid, data) in enumerate(progress(iterate_pictures(table), table.stem)):
            member = Member(uuid or f"row {number}", uuid, archive.offset + tarfile.BLOCKSIZE,
                            len(data))  # fmt: skip
            if uuid is None:
                row = rejected_row(member, "no_uuid")
            elif uuid in known or uuid in taken:
                other = "in_another_archive" if uuid in known else "duplicate_member"
                row = rejected_row(member, other)
            else:
                row = inspect(member, data, PICTURE, decode=decode)
            if row["status"] == OK:
                header = tarfile.TarInfo(f"{uuid}.{EXTENSIONS.get(row['codec'], 'img')}")
                header.size, header.mtime, header.mode = len(data), 0, 0o644
                archive.addfile(header, io.BytesIO(data))
                archive.members.clear()  # tarfile would keep them all in memory
                row["name"] = header.name
                taken.add(uuid)
            rows.append(row)
    os.replace(part, tar)
    return write_members(rows, members)


if __name__ == "__main__":
    run_job(unpack_pictures, snakemake)
