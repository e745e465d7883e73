"""Fresh links for signed ones that have expired: from a table, or from a command."""

import asyncio
import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from scripts.common.errors import UserError
from scripts.curate.media_links import link_key

_OLD, _FRESH = "old", "fresh"
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
    try:
        pairs = _read_parquet(table) if table.suffix == ".parquet" else _read_csv(table)
        keyed = ((link_key(old), fresh) for old, fresh in pairs if old and fresh)
        return {key: fresh for key, fresh in keyed if key in keys}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(
            f"curate.links.fresh_table: {table} cannot be read ({error}); it must be CSV (UTF-8) "
            f"or .parquet with the columns '{_OLD}' and '{_FRESH}'"
        ) from None


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
        self._command, self._known = list(command), known or {}
        self._waiting: dict[str, asyncio.Future[str | None]] = {}
        self._links: dict[str, str] = {}
        self._turn = asyncio.Lock()
        self.asked = self.given = 0

    async def get(self, link: str) -> str | None:
        """Return a fresh link for an old one, or None.

        Raises:
            UserError: the command cannot be run or fails.
        """
        key = link_key(link)
        self.asked += 1
        if key in self._known:
            self.given += 1
            return self._known[key]
        if not self._command:
            return None
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().create_future()
            self._links[key] = link
        answer = self._waiting[key]
        async with self._turn:
            if not answer.done():
                waiting, links = self._waiting, self._links
                self._waiting, self._links = {}, {}
                fresh = await self._run(list(links.values()))
                for each, future in waiting.items():
                    future.set_result(fresh.get(each))
        return answer.result()

    async def _run(self, links: Sequence[str]) -> dict[str, str]:
        name = f"curate.links.fresh_command: {self._command[0]}"
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise UserError(f"{name} cannot be run: {error.strerror}") from None
        text = "".join(f"{link}\n" for link in links).encode()
        try:
            output, errors = await asyncio.wait_for(process.communicate(text), _TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise UserError(
                f"{name} did not end within {_TIMEOUT_S:.0f} s for {len(links):,} links"
            ) from None
        if process.returncode:
            said = errors.decode(errors="replace").strip().rpartition("\n")[2][:200]
            raise UserError(
                f"{name} ended with {process.returncode}: {said or 'without a word'}; mend it, or "
                "take it out of the configuration to count these links as expired"
            )
        asked = {link_key(link) for link in links}
        lines = output.decode(errors="replace").split("\n")
        fresh = {link_key(line.strip()): line.strip() for line in lines if line.strip()}
        found = {key: link for key, link in fresh.items() if key in asked}
        self.given += len(found)
        return found


def _read_csv(table: Path) -> Iterable[tuple[str, str]]:
    with open(table, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield row[_OLD], row[_FRESH]


def _read_parquet(table: Path) -> Iterable[tuple[str, str]]:
    for batch in pq.ParquetFile(table).iter_batches(columns=[_OLD, _FRESH]):
        columns = batch.to_pydict()
        yield from zip(columns[_OLD], columns[_FRESH], strict=True)
