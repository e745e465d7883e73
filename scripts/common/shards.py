"""Shards: a deterministic tar of ``<uuid>.<extension>`` members and the index beside it."""

import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.common.errors import UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.index_rows import IndexRows
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import ITEM_INDEX, OK, PLACED_INDEX, REJECTED
from scripts.common.tables import read_table, write_table
from scripts.common.video import VideoProperties


@dataclass(frozen=True)
class ShardItem:
    """One wanted item: its bytes and properties, or the reason why there are none.

    For a picture, ``properties`` has one frame, fps 0 and the picture's format as codec.
    """

    uuid: str
    data: bytes | None = None
    properties: VideoProperties | None = None
    reason: str | None = None
    group: str | None = None


def write_shard(
    tar: Path,
    index: Path,
    items: Iterable[ShardItem],
    extension: str,
    schema: pa.Schema = ITEM_INDEX,
    **common: str,
) -> Counts:
    """Write a tar of the items that have bytes, and the index of all of them.

    Items are written in the order in which they come (one at a time is in memory), so let them
    come sorted by UUID; the index is sorted in any case.

    Args:
        tar: the tar to write; members are ``<uuid>.<extension>`` without dates or owners.
        index: the Parquet beside it (``ITEM_INDEX``).
        items: the wanted items.
        extension: of the members, without a dot.
        schema: of the index, if it has further columns...
        common: ...and what stands there in every row.
    """
    counts, rows = Counts(), []
    tar.parent.mkdir(parents=True, exist_ok=True)
    # A new file, not the old one emptied: the ledger may hold a link to that, and read from it.
    part = tar.with_name(f"{tar.name}.part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
        for item in items:
            row = {"uuid": item.uuid, "group": item.group, **common}
            if item.data is None:
                reason = item.reason or "no_candidate"
                counts.reject(reason)
                rows.append(row | {"status": REJECTED, "reason": reason})
                continue
            member = tarfile.TarInfo(f"{item.uuid}.{extension}")
            member.size, member.mtime, member.mode = len(item.data), 0, 0o644
            offset = archive.offset + tarfile.BLOCKSIZE
            archive.addfile(member, io.BytesIO(item.data))
            counts.keep()
            rows.append(
                row
                | {"status": OK, "offset": offset, "size_bytes": len(item.data)}
                | {"sha256": sha256_of(item.data), **asdict(item.properties)}
            )
    os.replace(part, tar)
    write_table(rows, index, schema)
    return counts


def read_index(
    index: Path | str, tar: Path | str, columns: Sequence[str] | None = None
) -> pa.Table:
    """Return an index with the tar in which each item lies, as a column ``tar``.

    Items of the released data set stay in the tars that were downloaded: their index
    (``PLACED_INDEX``) names these. All others lie in the tar beside the index.

    Args:
        index: Parquet file (``ITEM_INDEX`` or ``PLACED_INDEX``).
        tar: the tar beside it, as readers find it.
        columns: of ``ITEM_INDEX``; all by default.

    Raises:
        UserError: the index is missing, no Parquet, or lacks a column.
    """
    names = list(columns or ITEM_INDEX.names)
    table = read_table(index, ITEM_INDEX, names)
    places = pa.nulls(table.num_rows, pa.string())
    if "tar" in pq.read_schema(index).names:
        places = read_table(index, PLACED_INDEX, ["tar"])["tar"]
    return table.append_column("tar", pc.fill_null(places, str(tar)))


class Shards:
    """Several shards read as one, by UUID: all of a generator's videos, or all images.

    Only the indexes are in memory, as columns (``rows``).
    """

    def __init__(self, tars: Iterable[Path | str], indexes: Iterable[Path | str]):
        self._tars, self._indexes = [Path(tar) for tar in tars], [Path(index) for index in indexes]
        if len(self._tars) != len(self._indexes):
            raise ValueError(f"{len(self._tars)} tars, but {len(self._indexes)} indexes")
        self.rows = IndexRows(list(map(read_index, self._indexes, self._tars)))

    @property
    def uuids(self) -> list[str]:
        """The ids of the items that are there, sorted."""
        return self.rows.uuids

    def __contains__(self, uuid: str) -> bool:
        return self.rows.is_ok(uuid)

    def reason(self, uuid: str, default: str = "no_video") -> str:
        """Return why an item is not there: its own reason, or ``default`` if nobody wanted it."""
        return (self.rows[uuid]["reason"] if uuid in self.rows else None) or default

    def read(self, uuid: str) -> bytes:
        """Return the bytes of one item.

        Raises:
            KeyError: the item is not in the index or was rejected.
            UserError: the tar is missing or too short, or has other bytes than its index says.
        """
        if uuid not in self:
            raise KeyError(uuid)
        row = self.rows[uuid]
        number = self.rows.file_of(uuid)
        ours, index = row["tar"] == str(self._tars[number]), self._indexes[number]
        try:
            with open(row["tar"], "rb") as file:
                file.seek(row["offset"])
                data = file.read(row["size_bytes"])
        except FileNotFoundError:
            way_out = "run the rule that makes it" if ours else f"{index} names it: put it back"
            raise UserError(f"{row['tar']} is missing; {way_out}") from None
        if sha256_of(data) != row["sha256"]:
            way_out = "delete both" if ours else "delete the index"
            raise UserError(
                f"{row['tar']} does not hold {uuid} as {index} says; {way_out} and run again"
            )
        return data

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for uuid in self.uuids:
            yield uuid, self.read(uuid)


class Shard(Shards):
    """Reads items by UUID, at the offsets of one index, from its tar or where the index says."""

    def __init__(self, tar: Path, index: Path):
        super().__init__([tar], [index])
        self.tar, self.index = Path(tar), Path(index)
