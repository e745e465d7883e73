"""Members of a source's files as its publisher packed them: loose files, zips, tars, packed tars.

Whatever comes from elsewhere is hostile: a name never becomes a path, a link is not followed, and
nothing is unpacked to much more than it was packed into.
"""

import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from typing import IO

from scripts.common.errors import Rejected, UserError

PICTURE, VIDEO = "picture", "video"
SUFFIXES = {
    PICTURE: (".jpg", ".jpeg", ".png", ".webp"),
    VIDEO: (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"),
}
LARGEST_BYTES = {PICTURE: 2**27, VIDEO: 2**30}
"""A member that is larger is not read into memory."""
MOST_RATIO = 100
"""Pictures and videos are packed already: what gets so many times larger is no such thing."""

PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ARCHIVES = (".zip", ".tar", *PACKED_TARS)
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError,
           NotImplementedError, RuntimeError, struct.error)  # fmt: skip
"""What the libraries raise at damaged archives."""


@dataclass(frozen=True)
class Member:
    """A picture or video in an archive, or a loose one.

    Attributes:
        name: in its archive; of a loose file, its path.
        file: the archive, or the file itself.
        size_bytes: as stated.
        number: which entry of its archive.
        offset: where its bytes lie in the file as they are; None if they are packed.
        reason: why it is not even read, if it is not.
    """

    name: str
    file: Path
    size_bytes: int
    number: int = 0
    offset: int | None = None
    reason: str | None = None

    @property
    def stem(self) -> str:
        """The file's name without folders and ending: what it is called wherever it lies."""
        return PurePosixPath(self.name).name.rpartition(".")[0]


def find_files(patterns: Sequence[str]) -> list[str]:
    """Return the files that patterns name, sorted; one that is no pattern, whether it is there or not.

    Raises:
        UserError: there is none.
    """
    found: set[str] = set()
    for one in patterns:
        found |= set(glob(one, recursive=True)) if has_magic(one) else {one}  # noqa: PTH207 (absolute)
    if found:
        return sorted(found)
    raise UserError(
        f"there is no {' or '.join(patterns)}; 'make fetch' gets it where it can be had, or correct "
        "'files' of the entry in config/sources.yaml"
    )


def list_members(file: Path, kind: str, notes: list[str]) -> Iterator[Member]:
    """Yield the members of a file that are by their name of a kind, in the file's order.

    Args:
        file: an archive, or a loose picture or video.
        kind: ``PICTURE`` or ``VIDEO``.
        notes: gets a sentence if the archive's end is missing.

    Raises:
        UserError: an archive cannot be read at all.
    """
    found = False
    try:
        for member in _walk(file, notes):
            found = True
            path = PurePosixPath(member.name)
            hidden = path.name.startswith(".") or "__MACOSX" in path.parts
            if path.suffix.lower() in SUFFIXES[kind] and not hidden:
                if member.reason is None and member.size_bytes > LARGEST_BYTES[kind]:
                    member = replace(member, reason="too_large")
                yield member
    except _BROKEN as error:
        if not found:
            raise UserError(
                f"{file} cannot be read ({error}); fetch it again, or take it out of 'files' of "
                "its entry in config/sources.yaml"
            ) from None
        notes.append(f"{file} is cut off or damaged ({error}): fetch it again for what follows")


class MemberReader:
    """Reads members one after the other; of a packed tar, forward, as it can only be read."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._archive: zipfile.ZipFile | tarfile.TarFile | None = None
        self._next = 0

    def read(self, member: Member) -> bytes:
        """Return a member's bytes.

        Raises:
            Rejected: its own reason, empty_file, cut_off, damaged_member or decompression_bomb.
        """
        if member.reason:
            raise Rejected(member.reason)
        try:
            data = self._read(member)
        except _BROKEN as error:
            self.close()
            raise Rejected("damaged_member", str(error)) from None
        if len(data) > member.size_bytes:
            raise Rejected("decompression_bomb", "more bytes than stated")
        if len(data) < member.size_bytes:
            raise Rejected("cut_off")
        if not data:
            raise Rejected("empty_file")
        return data

    def close(self) -> None:
        """Let go of the archive that is open."""
        if self._archive is not None:
            self._archive.close()
        self._file = self._archive = None

    def _read(self, member: Member) -> bytes:
        if member.offset is not None:
            with open(member.file, "rb") as file:
                file.seek(member.offset)
                return file.read(member.size_bytes)
        if member.file != self._file or member.number < self._next:
            self.close()
            is_zip = member.file.suffix.lower() == ".zip"
            self._archive = zipfile.ZipFile(member.file) if is_zip else _stream(member.file)
            self._file, self._next = member.file, 0
        if isinstance(self._archive, zipfile.ZipFile):
            with self._archive.open(self._archive.infolist()[member.number]) as file:
                return file.read(member.size_bytes + 1)
        while self._next <= member.number:
            header = self._archive.next()
            self._archive.members = []  # tarfile would keep them all
            self._next += 1
        with self._archive.extractfile(header) as file:
            return file.read(member.size_bytes + 1)


def _walk(file: Path, notes: list[str]) -> Iterator[Member]:
    """Yield all that a file holds but folders; what is no plain file has a reason."""
    name = file.name.lower()
    if name.endswith(".zip"):
        yield from _walk_zip(file)
    elif name.endswith(ARCHIVES):
        yield from _walk_tar(file, notes)
    else:
        yield Member(file.as_posix(), file, file.stat().st_size, offset=0)


def _walk_zip(file: Path) -> Iterator[Member]:
    packed, size = 0, file.stat().st_size
    with zipfile.ZipFile(file) as archive, open(file, "rb") as plain:
        for number, entry in enumerate(archive.infolist()):
            if entry.is_dir():
                continue
            packed += entry.compress_size
            reason, offset, kind = None, None, stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG) or entry.flag_bits & 1:
                reason = "not_a_file"
            elif packed > size or entry.file_size > MOST_RATIO * max(1, entry.compress_size):
                reason = "decompression_bomb"  # entries that lie on each other, or swell
            elif entry.compress_type == zipfile.ZIP_STORED:
                offset = _place_in_zip(plain, entry)
                reason = "damaged_member" if offset is None else None
            yield _named(Member(entry.filename, file, entry.file_size, number, offset, reason))


def _place_in_zip(file: IO[bytes], entry: zipfile.ZipInfo) -> int | None:
    """Return where a stored entry's bytes begin: behind its own header, if that is there."""
    file.seek(entry.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        return None
    name, extra = struct.unpack("<HH", header[26:])
    return entry.header_offset + 30 + name + extra


def _walk_tar(file: Path, notes: list[str]) -> Iterator[Member]:
    size, is_packed = file.stat().st_size, file.name.lower().endswith(PACKED_TARS)
    number = 0
    with _stream(file) if is_packed else tarfile.open(file, "r:") as archive:
        while (header := archive.next()) is not None:
            archive.members = []
            end = header.offset_data + header.size
            if is_packed and end > MOST_RATIO * size:
                notes.append(f"{file} unpacks to far more than its size: no more of it is read")
                return
            if not header.isdir():
                reason = None if header.isreg() and not header.issparse() else "not_a_file"
                name = header.name.encode("utf-8", "replace").decode()
                offset = None if is_packed else header.offset_data
                yield _named(Member(name, file, header.size, number, offset, reason))
            number += 1
        if not is_packed:  # tarfile stops at anything that is no header, and does not say so
            with open(file, "rb") as plain:
                plain.seek(archive.offset)
                if plain.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise EOFError(f"no mark of its end at byte {archive.offset:,}")


def _stream(file: Path) -> tarfile.TarFile:
    return tarfile.open(file, "r|*")


def _named(member: Member) -> Member:
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
        return replace(member, reason="unsafe_path")
    return member
