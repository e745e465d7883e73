"""Bring the scraped videos of a shard's prompts together, each proved by decoding it (Section 3)."""

import asyncio
import errno
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common.code import settings_of
from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import fingerprint, hash_files
from scripts.common.ledger import LEDGER, FileLedger
from scripts.common.progress import progress_bar
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.schemas.videos import VIDEO_CANDIDATES
from scripts.common.shards import write_shard
from scripts.common.tables import read_table, write_table
from scripts.curate.candidate_videos import MEGABYTE, CandidateVideos, Places
from scripts.curate.media_links import is_link
from scripts.curate.refused_links import RefusedLinks

if TYPE_CHECKING:
    from scripts.curate.link_policy import Network

_NOTED = 5
LOCAL_ONLY = {
    "fetch": False,
    "mirror": "",
    "max_mb": 100.0,
    "max_megapixels": 20_000.0,
    "remember_days": 7.0,
}
"""``curate.links`` of a run that takes media files beside the exports alone."""


def fetch_videos(
    prompts: Path,
    tar: Path,
    index: Path,
    candidates: Path,
    *,
    exports: Mapping[str, str],
    links: Mapping = LOCAL_ONLY,
    decoders: int = 1,
    now: datetime | None = None,
    media_lists: Sequence[Path] = (),
    ledger_root: Path = LEDGER,
    network: "Network | None" = None,
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
        decoders: threads that prove videos.
        now: the time by which signed links have expired or not; the present by default.
        media_lists: checksums of the media, if there are any: they decide whether videos that an
            earlier run had found may be recalled.
        ledger_root: where finished items are kept.
        network: how hosts are reached.
        note: takes lines for the log.

    Raises:
        UserError: the mirror, the table or the command of fresh links does not work, or the disk
            is full; what was finished is kept.
    """
    rows = {row["uuid"]: row["candidates"] for row in read_table(prompts, PROMPTS).to_pylist()}
    folder = ledger_root / "curate" / fingerprint(media=hash_files(media_lists))
    name = prompts.stem
    ledger = FileLedger(folder / f"videos-{name}")
    job = _Job(
        what=f"videos {name}",
        rows=rows,
        folders={export: Path(path).parent for export, path in exports.items()},
        links=links,
        decoders=decoders,
        clock=lambda: now or datetime.now(UTC),
        ledger=ledger,
        refusals=RefusedLinks(folder / f"refusals-{name}.jsonl", links["remember_days"]),
        parts=folder / f"parts-{name}",
        network=network,
        note=note,
    )
    try:
        found, reasons, looks = asyncio.run(_search(job))
        versions = {uuid: found.get(uuid) for uuid in rows}
        faults = {uuid: Rejected(reason) for uuid, reason in reasons.items()}
        counts = write_shard(tar, index, ledger.items(versions, faults), "mp4")
        write_table(looks, candidates, VIDEO_CANDIDATES, sort_by=["uuid", "candidate", "place"])
        ledger.finish(tar, index)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"no space is left for {tar} and {folder}; make room and run again, which goes on "
                "where it stopped"
            ) from None
        raise
    counts.declared = len(rows)
    return counts


@dataclass(frozen=True)
class _Job:
    what: str
    rows: Mapping[str, Sequence[Mapping]]
    folders: Mapping[str, Path]
    links: Mapping
    decoders: int
    clock: Callable[[], datetime]
    ledger: FileLedger
    refusals: RefusedLinks
    parts: Path
    network: "Network | None"
    note: Callable[[str], None]


async def _search(job: _Job) -> tuple[dict[str, str], dict[str, str], list[dict]]:
    """Look for all videos that are not finished, many at a time.

    Returns:
        uuid -> version of the good ones; uuid -> reason of the others; ``VIDEO_CANDIDATES``.
    """
    async with AsyncExitStack() as stack:
        places = await _open_places(job, stack)
        pool = stack.enter_context(ThreadPoolExecutor(job.decoders, "decoder"))
        search = CandidateVideos(
            places, job.ledger, job.refusals, job.parts, pool, clock=job.clock,
            max_mb=job.links["max_mb"], max_megapixels=job.links["max_megapixels"],
        )  # fmt: skip
        recalled = {uuid: search.recall(uuid, rows) for uuid, rows in job.rows.items()}
        found = {uuid: version for uuid, version in recalled.items() if version is not None}
        reasons: dict[str, str] = {}
        left = sorted(job.rows.keys() - found.keys())
        if found:
            job.note(f"{len(found):,} of {len(job.rows):,} videos are there from an earlier run")
        bar = stack.enter_context(progress_bar(job.what, len(job.rows), initial=len(found)))
        waiting, started = iter(left), time.monotonic()

        def seconds() -> float:
            return max(1e-3, time.monotonic() - started)

        async def work() -> None:
            for uuid in waiting:  # shared: each takes the next that nobody has
                version, reason = await search.find(uuid, job.rows[uuid])
                if version is not None:
                    found[uuid] = version
                else:
                    reasons[uuid] = reason
                if places.downloads is not None:
                    rate = places.downloads.received_bytes / MEGABYTE / seconds()
                    bar.set_postfix_str(f"{rate:.1f} MB/s", refresh=False)
                bar.update()

        # Most of them wait: for their host's turn, for a second try, for a decoder.
        hosts = len(job.links["hosts"]) if places.downloads else 0
        workers = 2 * job.decoders + 4 * hosts * job.links.get("connections_per_host", 0)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(workers, len(left))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:  # the first one stopped the others
            raise errors.exceptions[0] from None
        _report(job, places, search, seconds())
    return found, reasons, search.looks


async def _open_places(job: _Job, stack: AsyncExitStack) -> Places:
    """Open what the configuration names; a run with local media alone imports none of it."""
    mirror = downloads = fresh = None
    if job.links["mirror"]:
        from scripts.curate.mirror import Mirror

        mirror = Mirror(job.links["mirror"])
    videos = [each["video"] for rows in job.rows.values() for each in rows]
    if job.links["fetch"] and any(map(is_link, videos)):
        from scripts.curate.downloads import Downloads, DownloadSettings
        from scripts.curate.fresh_links import FreshLinks, read_fresh_links

        names = {field.name for field in fields(DownloadSettings)}
        settings = {key: value for key, value in job.links.items() if key in names}
        downloads = Downloads(DownloadSettings(**settings), job.network)
        await stack.enter_async_context(downloads)
        table, command = job.links["fresh_table"], job.links["fresh_command"]
        if table or command:
            known = read_fresh_links(Path(table), filter(is_link, videos)) if table else {}
            fresh = FreshLinks(command, known)
    return Places(job.folders, mirror, downloads, fresh)


def _report(job: _Job, places: Places, search: CandidateVideos, seconds: float) -> None:
    looks = search.looks
    for line in search.notes[:_NOTED]:
        job.note(f"search_failed: {line}")
    outcomes = Counter(look["outcome"] for look in looks)
    listed = ", ".join(f"{name} {number:,}" for name, number in outcomes.most_common())
    job.note(f"candidates looked for: {len(looks):,} = {listed}")
    if places.downloads is not None:
        tries = sum(look["tries"] for look in looks)
        received = places.downloads.received_bytes / MEGABYTE
        job.note(
            f"{tries:,} requests brought {received:,.1f} MB in {seconds:,.0f} s "
            f"({received / seconds:,.1f} MB/s, {len(looks) / seconds:,.1f} candidates/s)"
        )
    if places.fresh is not None:
        job.note(
            f"{places.fresh.asked:,} links were too old; {places.fresh.given:,} fresh ones were had"
        )


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = fetch_videos(
            prompts=Path(snakemake.input.prompts),
            media_lists=[Path(path) for path in snakemake.input.media_lists],
            **{name: Path(path) for name, path in snakemake.output.items()},
            **settings_of(snakemake.params),
            decoders=snakemake.threads,
            note=log.info,
        )
        log.finish(counts)
