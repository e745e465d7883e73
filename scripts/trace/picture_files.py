"""Pictures that are described: where they lie, and how they are read."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.pictures import decode_picture
from scripts.common.schemas.split import ALONG, TRACE_IMAGES
from scripts.common.schemas.split import QUERY as QUERY_PART
from scripts.common.schemas.trace import BACKGROUND, FRAME_INDEX, QUERY
from scripts.common.tables import read_table
from scripts.split.ranks import first_ranked

FRAME_DIGITS = 5
"""Of the number of a frame in the name of a picture."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture in a tar; ``reason`` says why there is none, if there is none."""

    uuid: str
    role: str
    tar: str
    offset: int | None
    size_bytes: int | None
    sha256: str | None
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


def first_of_range(shard: int, shards: int) -> str:
    """Return the least UUID of one of ``shards`` equal ranges of all UUIDs (0-based).

    Ranges one after the other are all pictures in the order of their UUIDs, however many ranges
    there are: the number of a reference, which decides between equal cosines, does not depend on
    how the work was cut.
    """
    return str(uuid.UUID(int=-(-(shard << 128) // shards)))


def find_pictures(source: Mapping[str, Any], shard: int = 0, shards: int = 1) -> list[PictureFile]:
    """Return the pictures of one shard of a set, sorted by UUID.

    Args:
        source: ``images``, a ``TRACE_IMAGES`` manifest, of which only ``max_images`` by the rank
            of a ``seed`` are the background, if it says so, or those of one ``role``; or ``frames``, the tars of a
            generator's decoded frames, of which one ``part`` is meant, and ``frame_indexes``, the
            ``FRAME_INDEX`` beside each. Frames along a video are called ``<uuid>.<frame>``.
        shard: which range of the UUIDs (``first_of_range``).
        shards: number of ranges.
    """
    if "images" in source:
        table = read_table(source["images"], TRACE_IMAGES)
        if "max_images" in source:
            ranked = table["uuid"].to_pylist(), source["max_images"], source["seed"]
            chosen = first_ranked(*ranked, "tip_trace", BACKGROUND)
            table = _with(table.drop("role"), role=BACKGROUND)
            table = table.filter(pc.is_in(table["uuid"], pa.array(list(chosen), pa.string())))
        if "role" in source:
            table = table.filter(pc.equal(table["role"], source["role"]))
        tables = [table]
    else:
        pairs = zip(source["frames"], source["frame_indexes"], strict=True)
        tables = [_queries(tar, index, source.get("part", QUERY_PART)) for tar, index in pairs]
    files = []
    for table in tables:  # a million rows need not become objects for one shard
        # Other names than UUIDs may come before the first or after the last.
        if shard:
            table = table.filter(pc.greater_equal(table["uuid"], first_of_range(shard, shards)))
        if shard + 1 < shards:
            table = table.filter(pc.less(table["uuid"], first_of_range(shard + 1, shards)))
        files += [PictureFile(**row) for row in table.to_pylist()]
    return sorted(files, key=lambda file: file.uuid)


def _queries(tar: str, index: str, part: str) -> pa.Table:
    """Return frames of one tar of decoded frames as columns of ``PictureFile``."""
    table = read_table(index, FRAME_INDEX)
    table = table.filter(pc.equal(table["part"], part))
    places = table.select(["uuid", "reason", "offset", "size_bytes", "sha256"])
    if part == ALONG:
        number = pc.utf8_lpad(pc.cast(table["frame"], pa.string()), FRAME_DIGITS, "0")
        named = pc.binary_join_element_wise(table["uuid"], number, ".")
        places = places.set_column(0, "uuid", named)
    return _with(places, role=QUERY, tar=str(tar))


def _with(table: pa.Table, **values: str) -> pa.Table:
    """Return a table with columns of one value each."""
    for name, value in values.items():
        table = table.append_column(name, pa.array([value] * len(table), pa.string()))
    return table
