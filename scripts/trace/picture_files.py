"""Pictures that are described: where they lie, and how they are read."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.pictures import decode_picture
from scripts.common.schemas.split import QUERY as QUERY_PART
from scripts.common.schemas.split import TRACE_IMAGES
from scripts.common.schemas.trace import FRAME_INDEX, QUERY
from scripts.common.tables import read_table


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture in a tar; ``reason`` says why there is none, if there is none."""

    uuid: str
    role: str
    tar: str = ""
    offset: int = 0
    size_bytes: int = 0
    sha256: str = ""
    reason: str | None = None

    def read(self) -> np.ndarray:
        """Return the picture as uint8 RGB of shape (height, width, 3).

        Raises:
            Rejected: its own reason, damaged_tar, empty_file or undecodable.
            UserError: the tar is missing.
        """
        if self.reason:
            raise Rejected(self.reason)
        data = read_member(Path(self.tar), self.offset, self.size_bytes)
        if sha256_of(data) != self.sha256:
            raise Rejected("damaged_tar", self.tar)
        return decode_picture(data)


def read_member(tar: Path, offset: int, size_bytes: int) -> bytes:
    """Return the bytes of a tar's member; fewer than wanted if the tar is cut short.

    Raises:
        UserError: the tar is missing.
    """
    try:
        with open(tar, "rb") as file:
            file.seek(offset)
            return file.read(size_bytes)
    except FileNotFoundError:
        raise UserError(f"{tar} is missing; run the rule that makes it") from None


def range_of(identifier: str, shards: int) -> int:
    """Return which of ``shards`` equal ranges of all UUIDs one falls into (0-based).

    Ranges one after the other are all pictures in the order of their UUIDs, however many ranges
    there are: the number of a reference, which decides between equal cosines, does not depend on
    how the work was cut.
    """
    return uuid.UUID(identifier).int * shards >> 128


def find_images(manifest: Path, shard: int = 0, shards: int = 1) -> list[PictureFile]:
    """Return the pictures of one shard of a ``TRACE_IMAGES`` manifest, sorted by UUID."""
    table = read_table(manifest, TRACE_IMAGES)
    if shards > 1:  # a million rows need not become objects for one shard
        table = table.filter(
            pa.array([range_of(name, shards) == shard for name in table["uuid"].to_pylist()])
        )
    return sorted((PictureFile(**row) for row in table.to_pylist()), key=lambda file: file.uuid)


def find_queries(
    tars: Sequence[Path], indexes: Sequence[Path], shard: int = 0, shards: int = 1
) -> list[PictureFile]:
    """Return the query frames of one shard of a generator's decoded frames, sorted by UUID.

    Args:
        tars: the tars of decoded frames.
        indexes: the ``FRAME_INDEX`` beside each, in the same order.
        shard: which range of the UUIDs (``range_of``).
        shards: number of ranges.
    """
    files = []
    for tar, index in zip(tars, indexes, strict=True):
        table = read_table(index, FRAME_INDEX)
        for row in table.filter(pc.equal(table["part"], QUERY_PART)).to_pylist():
            if range_of(row["uuid"], shards) == shard:
                place = {name: row[name] for name in ("offset", "size_bytes", "sha256")}
                found = place | {"tar": str(tar)} if row["reason"] is None else {}
                files.append(PictureFile(row["uuid"], QUERY, reason=row["reason"], **found))
    return sorted(files, key=lambda file: file.uuid)
