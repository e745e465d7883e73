"""The gallery's data: rows in blocks, and a list of the rows of each term, cut into small files.

A page opened from disk may load scripts and pictures, but may not read other files. Each file is
therefore a script that calls ``receive`` with its name and one value of JSON, and a page loads the
few that it needs: rows and pictures by their number, terms by binary search in ``manifest.js``.
"""

import base64
import json
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 32
"""Rows, or pictures, of a file."""

TERM_BYTES = 48_000
"""Of lists of rows in a file of terms, unless one term alone takes more."""

FILES = 1_000
"""Files of a folder."""

_WORDS = re.compile(r"[^\W_]+")
_ALONE = re.compile("([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
"""Letters of scripts that put no space between words: each is a word."""


def words(text: str) -> list[str]:
    """Return the words of a text as they are searched for; ``gallery.js`` does the same."""
    text = unicodedata.normalize("NFKC", text).lower()
    return _WORDS.findall(_ALONE.sub(r" \1 ", text))


def write_data(folder: Path, name: str, value: Any) -> None:
    """Write one file of data; its text is ASCII, so that nothing in it can end the script."""
    path = folder / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"receive({json.dumps(name)},{json.dumps(value, separators=(',', ':'))})\n")


def name_of(kind: str, number: int) -> str:
    """Return the name of the file of a kind (rows, pictures, terms) with a number."""
    return f"{kind}/{number // FILES}/{number}"


class Blocks:
    """Writes rows and their pictures in blocks; a context manager, which writes the last one."""

    def __init__(self, folder: Path):
        self._folder, self._number = folder, 0
        self._rows: list[Any] = []
        self._pictures: list[str] = []

    def add(self, row: Any, picture: str) -> None:
        """Take the next row, and its picture in base64."""
        self._rows.append(row)
        self._pictures.append(picture)
        if len(self._rows) == ROWS:
            self._write()

    def _write(self) -> None:
        write_data(self._folder, name_of("rows", self._number), self._rows)
        write_data(self._folder, name_of("pictures", self._number), self._pictures)
        self._rows, self._pictures, self._number = [], [], self._number + 1

    def __enter__(self) -> "Blocks":
        return self

    def __exit__(self, *fault: object) -> None:
        if self._rows:
            self._write()


class Terms:
    """Which rows have which term: gathered row by row, written as lists of rows."""

    def __init__(self) -> None:
        """Begin with nothing: two numbers are kept for each pair of row and term."""
        self._numbers: dict[str, int] = {}
        self._terms, self._rows = array("i"), array("i")

    def add(self, row: int, terms: Iterable[str]) -> None:
        """Say that a row, later than all before, has these terms."""
        numbers = {self._numbers.setdefault(term, len(self._numbers)) for term in terms}
        self._terms.extend(numbers)
        self._rows.extend([row] * len(numbers))

    def counts(self, field: str) -> list[tuple[str, int]]:
        """Return the values of a field (terms ``field:value``) and their rows, most rows first."""
        number = np.bincount(np.asarray(self._terms), minlength=len(self._numbers))
        found = [
            (term.removeprefix(f"{field}:"), int(number[place]))
            for term, place in self._numbers.items()
            if term.startswith(f"{field}:")
        ]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def write(self, folder: Path) -> list[str]:
        """Write the files of terms, and return the first term of each."""
        firsts: list[str] = []
        block: dict[str, str] = {}
        filled = 0
        for term, data in self._lists():
            size = len(term) + len(data)
            if block and filled + size > TERM_BYTES:
                firsts.append(_write_block(folder, len(firsts), block))
                block, filled = {}, 0
            block[term] = base64.b64encode(data).decode()
            filled += size
        return [*firsts, _write_block(folder, len(firsts), block)] if block else firsts

    def _lists(self) -> Iterator[tuple[str, bytes]]:
        """Yield each term, in the order of UTF-16 as browsers compare, and its rows as bytes."""
        names = sorted(self._numbers, key=lambda term: term.encode("utf-16-be"))
        place = np.empty(len(names), np.int32)
        place[[self._numbers[name] for name in names]] = np.arange(len(names), dtype=np.int32)
        terms, rows = place[np.asarray(self._terms)], np.asarray(self._rows)
        order = np.argsort(terms, kind="stable")
        terms, rows = terms[order], rows[order]
        starts = np.searchsorted(terms, np.arange(len(names) + 1))
        gaps = np.diff(rows, prepend=0)
        gaps[starts[:-1]] = rows[starts[:-1]]
        data, ends = encode_gaps(gaps)
        cuts = np.concatenate([[0], ends])[starts]
        for number, name in enumerate(names):
            yield name, data[cuts[number] : cuts[number + 1]].tobytes()


def encode_gaps(gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers in bytes of seven bits, the lowest first, and where each of them ends.

    Args:
        gaps: integers of 0 to 2^28 - 1; the eighth bit says that another byte follows.
    """
    gaps = np.asarray(gaps, np.uint32)
    sizes = 1 + np.searchsorted([1 << 7, 1 << 14, 1 << 21], gaps, side="right")
    ends = np.cumsum(sizes)
    data = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    for byte in range(4):
        has = sizes > byte
        more = (sizes[has] > byte + 1).astype(np.uint32) << 7
        data[ends[has] - sizes[has] + byte] = (gaps[has] >> (7 * byte)) & 127 | more
    return data, ends


def _write_block(folder: Path, number: int, block: Mapping[str, str]) -> str:
    """Write a file of terms, and return the first of them."""
    write_data(folder, name_of("terms", number), [list(block), list(block.values())])
    return next(iter(block))
