"""Members of released tars: where each lies, of which prompt it is, and whether it is good."""

import contextlib
import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.identity import find_uuid
from scripts.common.pictures import decode_picture
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.release import RELEASED_MEMBERS
from scripts.common.tables import write_table
from scripts.common.video import VideoProperties, probe_video, read_header

PICTURE, VIDEO = "picture", "video"
EXTENSIONS = {
    PICTURE: {".png", ".jpg", ".jpeg", ".webp"},
    VIDEO: {".mp4", ".webm", ".mov", ".avi", ".mkv", ".gif"},
}
LARGEST_BYTES = 2**29
"""No picture or 3-second video comes near it; what does is not read into memory."""

_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zX", b"BZh")  # gzip, zstd, xz, bzip2


@dataclass(frozen=True)
class Member:
    """A file in a tar: its name there, and where its bytes lie.

    ``reason`` says why it is not even read, if it is not.
    """

    name: str
    uuid: str | None
    offset: int
    size_bytes: int
    reason: str | None = None


def list_tar(tar: Path, kind: str) -> tuple[list[Member], str | None]:
    """Walk a tar from header to header, and return its files and what is wrong with its end.

    The names of members are not documented; a UUID is looked for in the file's name first, then
    in its folders. A name never becomes a path.

    Args:
        tar: uncompressed, so that its members have places of their own.
        kind: ``PICTURE`` or ``VIDEO``.

    Returns:
        The files in the order of the tar, and a sentence if the tar does not end as tars do.

    Raises:
        UserError: it is no uncompressed tar, or no member's name holds a UUID.
    """
    size = tar.stat().st_size
    members: list[Member] = []
    seen: set[str] = set()
    try:
        archive = tarfile.open(tar, "r:")  # noqa: SIM115 (closed below)
    except tarfile.TarError as error:
        with open(tar, "rb") as file:
            is_compressed = file.read(4).startswith(_COMPRESSED)
        sentence = (
            f"is no tar ({error}); download it again" if size else "is empty; download it again"
        )
        if is_compressed:
            sentence = "is compressed, so that its members have no places; unpack it to a plain tar"
        raise UserError(f"{tar} {sentence}") from None
    with archive:
        for header in _headers(archive):
            if not header.isdir():
                member = _member(header, kind, size, seen)
                members.append(member)
                if member.uuid and member.reason is None:
                    seen.add(member.uuid)
        end = archive.offset
    if members and not any(member.uuid for member in members):
        raise UserError(
            f"{tar}: none of its {len(members):,} members is named by a UUID, such as "
            f"'{members[0].name[:100]}'; it is not a tar of TIP-I2V, or of a new kind"
        )
    return members, _fault_of_end(tar, end, size)


def inspect(member: Member, data: bytes, kind: str, *, decode: bool) -> dict:
    """Return a member's row of ``RELEASED_MEMBERS``, with its checksum and properties.

    Args:
        member: of a tar, or of a table's pictures.
        data: its bytes.
        kind: ``PICTURE`` or ``VIDEO``.
        decode: decode it to its end; else only its header is read.
    """
    try:
        properties = _properties(data, kind, decode)
    except Rejected as error:
        return rejected_row(member, error.reason)
    return (
        {"name": member.name, "uuid": member.uuid, "status": OK, "reason": None}
        | asdict(properties)
        | {"size_bytes": len(data), "sha256": sha256_of(data), "offset": member.offset}
    )


def rejected_row(member: Member, reason: str) -> dict:
    """Return the row of ``RELEASED_MEMBERS`` of a member that cannot be used."""
    return {"name": member.name, "uuid": member.uuid, "status": REJECTED, "reason": reason}


def write_members(rows: list[dict], members: Path, notes: Sequence[str] = ()) -> Counts:
    """Write a table of ``RELEASED_MEMBERS``, by name, and return the counts of its rows."""
    write_table(rows, members, RELEASED_MEMBERS, sort_by=["name", "status", "offset"])
    counts = Counts(declared=len(rows), notes=list(notes))
    for row in rows:
        counts.reject(row["reason"]) if row["reason"] else counts.keep()
    return counts


def _headers(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    # An error: the bytes of the last member end before it does.
    with contextlib.suppress(tarfile.TarError):
        while header := archive.next():
            yield header


def _member(header: tarfile.TarInfo, kind: str, size: int, seen: set[str]) -> Member:
    name = header.name.encode("utf-8", "replace").decode()
    path, uuid = PurePosixPath(name), find_uuid(name)
    is_other = path.suffix and path.suffix.lower() not in EXTENSIONS[kind]
    faults = {
        "hidden_file": path.name.startswith("."),
        "other_kind": not header.isreg() or header.issparse() or (uuid and is_other),
        "no_uuid": uuid is None,
        "duplicate_member": uuid in seen,
        "cut_off": header.offset_data + header.size > size,
        "too_large": header.size > LARGEST_BYTES,
    }
    reason = next((reason for reason, is_so in faults.items() if is_so), None)
    return Member(name, uuid, header.offset_data, header.size, reason)


def _fault_of_end(tar: Path, end: int, size: int) -> str | None:
    """Return what is wrong where the last header was found, if anything is.

    A tar ends in blocks of zeros; Python's tarfile stops at anything that is no header, and does
    not say which it was.
    """
    with open(tar, "rb") as file:
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
    if block == bytes(tarfile.BLOCKSIZE):
        return None
    what = "is damaged" if len(block) == tarfile.BLOCKSIZE else "ends"
    return (
        f"{tar} {what} at byte {min(end, size):,} without the mark that ends a tar: download it "
        "again, for what follows is missing"
    )


def _properties(data: bytes, kind: str, decode: bool) -> VideoProperties:
    if kind == VIDEO:
        return probe_video(data) if decode else read_header(data)
    if not data:
        raise Rejected("empty_file")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            (width, height), codec = picture.size, (picture.format or "").lower()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Rejected("undecodable", str(error)) from None
    if decode:
        decode_picture(data)
    return VideoProperties(width, height, 0.0, 1, 0.0, codec)
