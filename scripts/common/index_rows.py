"""The rows of the indexes beside tars, by UUID, held as columns: a third of what dicts take."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.schemas.items import ITEM_INDEX, OK

_FEW = ("group", "status", "reason", "codec", "tar")


class IndexRows(Mapping[str, dict]):
    """UUID -> row of an index, over one or several indexes, sorted; where two know one, the last.

    A lookup is a binary search, of some microseconds. Rows are made when they are asked for, so to
    change one changes nothing here.
    """

    def __init__(self, tables: Sequence[pa.Table]):
        """Take the tables of the indexes: with ``uuid`` and ``status``, and all else as it comes."""
        self._ends = np.cumsum([table.num_rows for table in tables], dtype=np.int64)
        table = pa.concat_tables(tables or [ITEM_INDEX.empty_table()])
        ids = _as_bytes(table["uuid"])
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        is_last = np.append(ids[1:] != ids[:-1], True)[: len(ids)]
        self._ids, self._places = ids[is_last], order[is_last]
        self._is_ok = pc.equal(table["status"], OK).to_numpy()
        # Reasons and the like come again and again: one copy of each, and a number for each row.
        self._columns = {
            name: column.dictionary_encode() if name in _FEW else column
            for name, column in zip(table.column_names, table.columns, strict=True)
            if name != "uuid"
        }

    def __getitem__(self, uuid: str) -> dict:
        place = self._place(uuid)
        values = {name: column[place].as_py() for name, column in self._columns.items()}
        return {"uuid": uuid} | values

    def __contains__(self, uuid: object) -> bool:
        return isinstance(uuid, str) and self._find(uuid) is not None

    def __iter__(self) -> Iterator[str]:
        return (uuid.decode() for uuid in self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def uuids(self) -> list[str]:
        """The ids of the items that are there, sorted."""
        return [uuid.decode() for uuid in self._ids[self._is_ok[self._places]]]

    def is_ok(self, uuid: str) -> bool:
        """Return whether an item is wanted and there."""
        place = self._find(uuid)
        return place is not None and bool(self._is_ok[place])

    def file_of(self, uuid: str) -> int:
        """Return which of the indexes knows an item.

        Raises:
            KeyError: none.
        """
        return int(np.searchsorted(self._ends, self._place(uuid), side="right"))

    def _find(self, uuid: str) -> int | None:
        key = uuid.encode()
        found = int(self._ids.searchsorted(key))
        return int(self._places[found]) if key in self._ids[found : found + 1] else None

    def _place(self, uuid: str) -> int:
        place = self._find(uuid)
        if place is None:
            raise KeyError(uuid)
        return place


def _as_bytes(texts: pa.ChunkedArray) -> np.ndarray:
    """Return texts as UTF-8 of fixed width, which sorts as the texts do."""
    parts = [np.array(chunk.cast(pa.binary()).to_pylist(), dtype=bytes) for chunk in texts.chunks]
    return np.concatenate(parts) if parts else np.empty(0, "S1")
