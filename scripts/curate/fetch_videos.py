"""Bring the scraped videos of a shard's prompts together, each proved by decoding it (Section 3)."""

import asyncio
import errno
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import fingerprint, hash_files
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, FileLedger
from scripts.common.progress import progress_bar
from scripts.common.provenance import count_items
from scripts.common.rule_log import Counts
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.schemas.videos import VIDEO_CANDIDATES
from scripts.common.shards import write_shard
from scripts.common.tables import read_table, write_table
from scripts.curate.candidate_videos import MEGABYTE, CandidateVideos
from scripts.curate.media_links import RefusedLinks, is_link

_NOTED = 5


def fetch_videos(
    prompts: Path,
    tar: Path,
    index: Path,
    candidates: Path,
    *,
    exports: Mapping[str, str],
    links: Mapping[str, Any],
    threads: int = 1,
    now: datetime | None = None,
    media_lists: Sequence[Path] = (),
    ledger_root: Path = LEDGER,
    network: Any = None,
    note: Callable[[str], None] = lambda line: None,
) -> Counts:
    """Write the first video of each prompt that decodes from its first to its last frame.

    A finished video is recalled for as long as its prompt has the candidate that it is from,
    whatever else has changed: a link that has expired since cannot be had again.

    Args:
        prompts: table of ``PROMPTS``.
        tar: ``<uuid>.mp4`` members.
        index: ``ITEM_INDEX``, one row for each prompt; the reason of a rejected one is that of
            its earliest video.
        candidates: ``VIDEO_CANDIDATES``, what became of every video of every prompt.
        exports: export -> path of its HTML file; media paths are relative to its folder.
        links: the configuration's ``curate.links``.
        threads: that prove videos.
        now: the time by which signed links have expired or not; the present by default.
        media_lists: checksums of the media, if there are any: they decide whether videos that an
            earlier run had found may be recalled.
        ledger_root: where finished items are kept.
        network: how hosts are reached (``link_policy.Network``); the internet by default.
        note: takes lines for the log.

    Raises:
        UserError: the mirror, the table or the command of fresh links does not work, or the disk
            is full; what was finished is kept.
    """
    rows = {row["uuid"]: row["candidates"] for row in read_table(prompts, PROMPTS).to_pylist()}
    folder = ledger_root / "curate" / fingerprint(media=hash_files(media_lists))
    name = prompts.stem
    try:
        with ThreadPoolExecutor(threads, "decoder") as decoders:
            search = CandidateVideos(
                folders={export: Path(path).parent for export, path in exports.items()},
                links=links,
                ledger=FileLedger(folder / f"videos-{name}"),
                refusals=RefusedLinks(folder / f"refusals-{name}.jsonl", links["remember_days"]),
                parts=folder / f"parts-{name}",
                decoders=decoders,
                clock=lambda: now or datetime.now(UTC),
            )
            found, reasons = asyncio.run(_search(search, rows, name, threads, network, note))
        versions = {uuid: found.get(uuid) for uuid in rows}
        faults = {uuid: Rejected(reason) for uuid, reason in reasons.items()}
        counts = write_shard(tar, index, search.ledger.items(versions, faults), "mp4")
        write_table(
            search.looks, candidates, VIDEO_CANDIDATES, sort_by=["uuid", "candidate", "place"]
        )
        search.ledger.finish(tar, index)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"no space is left for {tar} and {folder}; make room and run again, which goes on "
                "where it stopped"
            ) from None
        raise
    counts.declared = len(rows)
    return counts


async def _search(
    search: CandidateVideos,
    rows: Mapping[str, Sequence[Mapping]],
    name: str,
    threads: int,
    network: Any,
    note: Callable[[str], None],
) -> tuple[dict[str, str], dict[str, str]]:
    """Look for all videos that are not finished, many at a time.

    Returns:
        uuid -> version of the good ones; uuid -> reason of the others.
    """
    async with AsyncExitStack() as stack:
        videos = [each["video"] for candidates in rows.values() for each in candidates]
        await _open_places(search, videos, network, stack)
        looked_up = {uuid: search.recall(uuid, candidates) for uuid, candidates in rows.items()}
        found = {uuid: version for uuid, version in looked_up.items() if version is not None}
        recalled = len(found)
        reasons: dict[str, str] = {}
        left = sorted(rows.keys() - found.keys())
        if found:
            note(f"{len(found):,} of {len(rows):,} videos are there from an earlier run")
        bar = stack.enter_context(progress_bar(f"videos {name}", len(rows), initial=len(found)))
        waiting, started = iter(left), time.monotonic()

        def seconds() -> float:
            return max(1e-3, time.monotonic() - started)

        async def work() -> None:
            for uuid in waiting:  # shared: each takes the next that nobody has
                version, reason = await search.find(uuid, rows[uuid])
                if version is not None:
                    found[uuid] = version
                else:
                    reasons[uuid] = reason
                if search.downloads is not None:
                    rate = search.downloads.received_bytes / MEGABYTE / seconds()
                    bar.set_postfix_str(f"{rate:.1f} MB/s", refresh=False)
                bar.update()

        # Most of them wait: for their host's turn, for a second try, for a decoder.
        hosts = len(search.links["hosts"]) if search.downloads else 0
        workers = 2 * threads + 4 * hosts * search.links.get("connections_per_host", 0)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(workers, len(left))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:  # the first one stopped the others
            raise errors.exceptions[0] from None
        count_items(len(found) - recalled, recalled)
        _report(search, seconds(), note)
    return found, reasons


async def _open_places(
    search: CandidateVideos, videos: Sequence[str], network: Any, stack: AsyncExitStack
) -> None:
    """Open what the configuration names; a run with local media alone imports none of it."""
    links = search.links
    if links["mirror"]:
        from scripts.curate.mirror import Mirror

        search.mirror = Mirror(links["mirror"])
    if links["fetch"] and any(map(is_link, videos)):
        from scripts.curate.downloads import Downloads
        from scripts.curate.fresh_links import FreshLinks, read_fresh_links

        search.downloads = await stack.enter_async_context(Downloads(links, network))
        table, command = links["fresh_table"], links["fresh_command"]
        if table or command:
            known = read_fresh_links(Path(table), filter(is_link, videos)) if table else {}
            search.fresh = FreshLinks(command, known)


def _report(search: CandidateVideos, seconds: float, note: Callable[[str], None]) -> None:
    looks = search.looks
    for line in search.notes[:_NOTED]:
        note(f"search_failed: {line}")
    outcomes = Counter(look["outcome"] for look in looks)
    listed = ", ".join(f"{name} {number:,}" for name, number in outcomes.most_common())
    note(f"candidates looked for: {len(looks):,} = {listed}")
    if search.downloads is not None:
        tries = sum(look["tries"] for look in looks)
        received = search.downloads.received_bytes / MEGABYTE
        note(
            f"{tries:,} requests brought {received:,.1f} MB in {seconds:,.0f} s "
            f"({received / seconds:,.1f} MB/s, {len(looks) / seconds:,.1f} candidates/s)"
        )
    if search.fresh is not None:
        note(
            f"{search.fresh.asked:,} links were too old; {search.fresh.given:,} fresh ones were had"
        )


if __name__ == "__main__":
    run_job(fetch_videos, snakemake)
