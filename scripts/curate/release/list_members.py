"""List what lies in one released tar, where it lies (Section 3): the tar is read, not copied."""

from pathlib import Path

from scripts.common.code import code_checksum
from scripts.common.fingerprints import fingerprint
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.items import REJECTED
from scripts.common.schemas.release import RELEASED_MEMBERS
from scripts.common.tables import write_table
from scripts.curate.release.released_members import Member, inspect, list_tar, rejected_row

BATCH = 32


def list_members(
    tar: Path,
    members: Path,
    *,
    kind: str,
    decode: bool,
    ledger_root: Path = LEDGER,
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
    key = fingerprint(
        tar=str(tar),
        size=state.st_size,
        modified=state.st_mtime_ns,
        decode=decode,
        code=code_checksum("scripts/curate/release/list_members.py", plumbing=False),
    )
    # By place, for a tar may have two members of one name.
    by_place = {f"{member.offset:020d}": member for member in found}
    with open(tar, "rb") as file:

        def read(member: Member) -> dict:
            if member.reason:
                return rejected_row(member, member.reason)
            file.seek(member.offset)
            return inspect(member, file.read(member.size_bytes), kind, decode=decode)

        schema = RELEASED_MEMBERS.append(RELEASED_MEMBERS.field("name").with_name("place"))
        with RowLedger(ledger_root / "curate" / key / tar.stem, schema, key="place") as ledger:
            rows = ledger.complete(
                list(by_place),
                lambda places: [read(by_place[place]) | {"place": place} for place in places],
                batch_size=BATCH,
                what=tar.name,
                failed=lambda row: False,
            )
    rows = [{name: row[name] for name in RELEASED_MEMBERS.names} for row in map(_whole, rows)]
    write_table(rows, members, RELEASED_MEMBERS, sort_by=["name", "status", "offset"])
    counts = Counts(declared=len(found))
    for row in rows:
        counts.reject(row["reason"]) if row["status"] == REJECTED else counts.keep()
    counts.notes += [fault] if fault else []
    return counts


def _whole(row: dict) -> dict:
    return dict.fromkeys(RELEASED_MEMBERS.names) | row


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = list_members(
            tar=Path(snakemake.input.tar),
            members=Path(snakemake.output.members),
            kind=snakemake.params.kind,
            decode=snakemake.params.decode,
        )
        log.finish(counts)
