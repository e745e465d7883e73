"""List what lies in one released tar, where it lies (Section 3): the tar is read, not copied."""

from pathlib import Path

from scripts.common.engine import Task, ledger_key, run
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.rule_log import Counts
from scripts.common.schemas.release import RELEASED_MEMBERS
from scripts.curate.release.released_members import (
    Member,
    inspect,
    list_tar,
    rejected_row,
    write_members,
)

SCRIPT = "scripts/curate/release/list_members.py"


def list_members(
    tar: Path, members: Path, *, kind: str, decode: bool, ledger_root: Path = LEDGER
) -> Counts:
    """Write a row for each file of a tar: its prompt, place, checksum and properties.

    One file is in memory at a time. A killed job goes on at the next file, as long as the tar has
    the size and the date that it had.

    Args:
        tar: an uncompressed tar of the release.
        members: table of ``RELEASED_MEMBERS``, by name.
        kind: ``picture`` or ``video``.
        decode: decode every file to its end; else only its header is read.
        ledger_root: where finished rows are kept.

    Returns:
        Counts of files; a note if the tar was cut.

    Raises:
        UserError: it is no uncompressed tar, or no name in it holds a UUID.
    """
    found, fault = list_tar(tar, kind)
    state = tar.stat()
    key = ledger_key(
        SCRIPT, tar=str(tar), size=state.st_size, modified=state.st_mtime_ns, decode=decode
    )
    # By place, for a tar may have two members of one name.
    by_place = {f"{member.offset:020d}": member for member in found}
    schema = RELEASED_MEMBERS.append(RELEASED_MEMBERS.field("name").with_name("place"))
    empty = dict.fromkeys(RELEASED_MEMBERS.names)
    with open(tar, "rb") as file:

        def look(member: Member) -> dict:
            if member.reason:
                return rejected_row(member, member.reason)
            file.seek(member.offset)
            return inspect(member, file.read(member.size_bytes), kind, decode=decode)

        task = Task(
            name=tar.name,
            items=dict.fromkeys(by_place),
            ledger=RowLedger(ledger_root / "curate" / key / tar.stem, schema, key="place"),
            load=lambda: None,
            work=lambda _, found: map(look, found),
            finish=lambda place, row: empty | row,
            failure="undecodable",
        )
        run([task], by_place.__getitem__, what=tar.name)
    finished = task.rows(lambda place, reason: rejected_row(by_place[place], reason)).to_list()
    rows = [{name: row.get(name) for name in RELEASED_MEMBERS.names} for row in finished]
    return write_members(rows, members, [fault] if fault else [])


if __name__ == "__main__":
    run_job(list_members, snakemake)
