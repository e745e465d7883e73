"""All that lies in a folder of results, as bytes to be searched."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of every file; what is compressed is unpacked.

    Of a Parquet file: the texts and bytes of all columns, nested ones too, and its metadata. Of
    a zip: every member. A tar and everything else: its bytes as they lie.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        yield name, name.encode()
        if path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            yield name, str(table.schema).encode()
            for column in table.columns:
                yield name, b"\n".join(_texts(column))
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield f"{name}: {member}", archive.read(member)
        else:
            yield name, path.read_bytes()


def files_with(folder: Path, needles: set[str]) -> dict[str, set[str]]:
    """Return needle -> the files in which it occurs, whether as UTF-8 text or in JSON's escapes."""
    found: dict[str, set[str]] = {}
    for name, data in contents(folder):
        for needle in needles:
            if needle.encode() in data:
                found.setdefault(needle, set()).add(name)
    return found


def _texts(column: pa.ChunkedArray) -> Iterator[bytes]:
    kind = column.type
    if pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from _texts(pc.struct_field(column, number))
    elif pa.types.is_list(kind):
        yield from _texts(pc.list_flatten(column))
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        for value in column.to_pylist():
            yield value.encode() if isinstance(value, str) else value or b""
    elif pa.types.is_integer(kind):
        yield from (str(value).encode() for value in column.to_pylist())
