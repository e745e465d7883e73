"""Fresh links for signed ones that have expired: from a table, or from a command."""

import asyncio
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from scripts.common.errors import UserError
from scripts.curate.media_links import link_key

_COLUMNS = ["old", "fresh"]
_TIMEOUT_S = 900.0


def read_fresh_links(table: Path, wanted: Iterable[str]) -> dict[str, str]:
    """Return ``link_key`` -> fresh link from a table, of the wanted old links only.

    Args:
        table: CSV or Parquet with the columns ``old`` and ``fresh``, a link in each.
        wanted: old links.

    Raises:
        UserError: the table is missing, is neither, or lacks a column.
    """
    keys = {link_key(link) for link in wanted}
    known = {}
    try:
        if table.suffix == ".parquet":
            batches = pq.ParquetFile(table).iter_batches(columns=_COLUMNS)
        else:
            texts = dict.fromkeys(_COLUMNS, pa.string())
            options = csv.ConvertOptions(include_columns=_COLUMNS, column_types=texts)
            batches = csv.open_csv(table, convert_options=options)
        for batch in batches:
            for old, fresh in zip(*(batch[name].to_pylist() for name in _COLUMNS), strict=True):
                if old and fresh and (key := link_key(old)) in keys:
                    known[key] = fresh
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"curate.links.fresh_table: {table} cannot be read ({error}); it must be CSV (UTF-8) "
            f"or .parquet with the columns '{_COLUMNS[0]}' and '{_COLUMNS[1]}'"
        ) from None
    return known


class FreshLinks:
    """Asks a command for fresh links, many at a time, one call after another.

    While a call runs, further links gather for the next.
    """

    def __init__(self, command: Sequence[str], known: dict[str, str] | None = None):
        """Set the source.

        Args:
            command: program and arguments, run without a shell. It reads old links, a line each,
                and prints fresh ones, a line each, in any order: a fresh link belongs to the old
                one that has the same path.
            known: ``link_key`` -> fresh link, from a table, which is looked at first.
        """
        self._command = list(command)
        self._known: dict[str, str | None] = dict(known or {})
        self._waiting: dict[str, str] = {}
        self._turn = asyncio.Lock()
        self.asked = self.given = 0

    async def get(self, link: str) -> str | None:
        """Return a fresh link for an old one, or None.

        Raises:
            UserError: the command cannot be run or fails.
        """
        key = link_key(link)
        self.asked += 1
        if key not in self._known and self._command:
            self._waiting[key] = link
            async with self._turn:
                if key in self._waiting:  # nobody asked for it meanwhile
                    waiting, self._waiting = self._waiting, {}
                    fresh = await asyncio.to_thread(self._run, list(waiting.values()))
                    self._known |= {each: fresh.get(each) for each in waiting}
        found = self._known.get(key)
        self.given += found is not None
        return found

    def _run(self, links: Sequence[str]) -> dict[str, str]:
        name = f"curate.links.fresh_command: {self._command[0]}"
        text = "".join(f"{link}\n" for link in links)
        try:
            done = subprocess.run(
                self._command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S
            )
        except OSError as error:
            raise UserError(f"{name} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise UserError(
                f"{name} did not end within {_TIMEOUT_S:.0f} s for {len(links):,} links"
            ) from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
            raise UserError(
                f"{name} ended with {done.returncode}: {said or 'without a word'}; mend it, or "
                "take it out of the configuration to count these links as expired"
            )
        lines = map(str.strip, done.stdout.decode(errors="replace").split("\n"))
        return {link_key(line): line for line in lines if line}
