"""The search for a prompt's video: in its candidates' order, beside the export, mirror, link."""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from scripts.common.errors import Rejected
from scripts.common.faults import Failures, first_line
from scripts.common.ledger import FileLedger
from scripts.common.shards import ShardItem
from scripts.common.video import probe_video
from scripts.curate.media_links import (
    candidate_version,
    check_readable,
    expires_at,
    is_link,
)
from scripts.curate.partial_files import PartialFile
from scripts.curate.refused_links import RefusedLinks

if TYPE_CHECKING:  # a run with local media alone starts without them
    from scripts.curate.downloads import Downloads
    from scripts.curate.fresh_links import FreshLinks
    from scripts.curate.mirror import Mirror

MEGABYTE = 1_000_000
_TEXT_TYPES = ("text/", "application/json", "application/xml")


@dataclass(frozen=True)
class Places:
    """Where candidates are looked for; what is None is not used.

    Attributes:
        folders: export -> the folder in which its HTML lies.
        mirror: looked at before a link.
        downloads: fetches links.
        fresh: gives fresh links for those that cannot work any more.
    """

    folders: Mapping[str, Path]
    mirror: "Mirror | None" = None
    downloads: "Downloads | None" = None
    fresh: "FreshLinks | None" = None


@dataclass
class Look:
    """One look for one candidate in one place: a row of ``VIDEO_CANDIDATES``."""

    place: str | None
    outcome: str = "ok"
    tries: int = 0
    received_bytes: int = 0
    seconds: float | None = None


class CandidateVideos:
    """Looks for videos, proves each by decoding it, and puts what is good into a ledger.

    ``looks`` is the account of all candidates: rows of ``VIDEO_CANDIDATES``; ``notes`` has what
    went wrong in unforeseen ways.
    """

    def __init__(
        self,
        places: Places,
        ledger: FileLedger,
        refusals: RefusedLinks,
        parts: Path,
        decoders: Executor,
        *,
        max_mb: float,
        max_megapixels: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        """Set up the search.

        Args:
            places: where to look.
            ledger: takes the good videos.
            refusals: of this and earlier runs.
            parts: folder of unfinished downloads.
            decoders: where videos are proved; one is in memory for each of its threads.
            max_mb: largest file, in 10^6 bytes.
            max_megapixels: most that a video may have in all its frames.
            clock: the present, which decides which links have expired.
        """
        self._places, self._ledger, self._refusals = places, ledger, refusals
        self._parts, self._decoders, self._clock = parts, decoders, clock
        self._limit_bytes = int(max_mb * MEGABYTE)
        self._max_megapixels = max_megapixels
        self.looks: list[dict] = []
        self.notes: list[str] = []
        self._failures = Failures("the search for videos")

    def recall(self, uuid: str, candidates: Sequence[Mapping]) -> str | None:
        """Return the version under which an earlier run has the video of a candidate, if it has."""
        for number, candidate in enumerate(candidates):
            version = candidate_version(candidate)
            if self._ledger.holds(uuid, version):
                for other, each in enumerate(candidates):
                    found = Look("ledger") if other == number else Look(None, "recalled")
                    self._note(uuid, other, each, found)
                return version
        return None

    async def find(self, uuid: str, candidates: Sequence[Mapping]) -> tuple[str | None, str | None]:
        """Put the first good video of a prompt into the ledger.

        Returns:
            (its version, None), or (None, the reason of the earliest candidate).

        Raises:
            UserError: a setting does not work, or many looks in a row failed in unforeseen ways.
            OSError: the machine's fault.
        """
        version, reasons = None, []
        for number, candidate in enumerate(candidates):
            if version is not None:
                self._note(uuid, number, candidate, Look(None, "not_needed"))
                continue
            looks = await self._look_safely(uuid, candidate)
            for look in looks:
                self._note(uuid, number, candidate, look)
            if looks[-1].outcome == "ok":
                version = candidate_version(candidate)
            else:
                reasons.append(looks[-1].outcome)
        return version, None if version else (reasons or ["no_candidate"])[0]

    def _note(self, uuid: str, number: int, candidate: Mapping, look: Look) -> None:
        about = {"uuid": uuid, "candidate": number, "message_id": candidate["message_id"]}
        self.looks.append(about | vars(look))

    async def _look_safely(self, uuid: str, candidate: Mapping) -> list[Look]:
        """Look for one candidate; what it holds can end no other's search."""
        try:
            looks = await self._look(uuid, candidate)
        except Exception as error:
            self._failures.add(candidate["message_id"], error)
            self.notes.append(f"message {candidate['message_id']}: {first_line(error)}")
            return [Look(None, "search_failed")]
        self._failures.end_row()
        return looks

    async def _look(self, uuid: str, candidate: Mapping) -> list[Look]:
        """Look for one candidate; the last look is what became of it."""
        if not is_link(candidate["video"]):
            return [await self._in_media(uuid, candidate)]
        part = PartialFile(self._parts / f"{uuid}-{candidate_version(candidate)}.part")
        looks = []
        if self._places.mirror is not None:
            look = await self._in_mirror(uuid, candidate, part.path.with_suffix(".copy"))
            looks += [look] if look else []
        if not looks or looks[-1].outcome != "ok":
            looks.append(await self._by_link(uuid, candidate, part))
        return looks

    async def _in_media(self, uuid: str, candidate: Mapping) -> Look:
        look = Look("media")
        try:
            path = local_file(candidate["video"], self._places.folders[candidate["export"]])
            await self._prove(uuid, candidate, path)
        except Rejected as error:
            look.outcome = error.reason
        return look

    async def _in_mirror(self, uuid: str, candidate: Mapping, copy: Path) -> Look | None:
        look = Look("mirror")
        bring = self._places.mirror.bring
        try:
            path = await asyncio.to_thread(bring, candidate["video"], copy, self._limit_bytes)
            if path is None:
                return None
            await self._prove(uuid, candidate, path)
        except Rejected as error:
            look.outcome = error.reason
        finally:
            copy.unlink(missing_ok=True)
        return look

    async def _by_link(self, uuid: str, candidate: Mapping, part: PartialFile) -> Look:
        look = Look("link")
        try:
            link = await self._working_link(candidate["video"], candidate["video_expires_utc"])
        except Rejected as error:
            look.outcome = error.reason
            return look
        if reason := self._refusals.reason(link, self._clock()):
            look.outcome = reason
            return look
        download = await self._places.downloads.fetch(link, part)
        look.tries, look.received_bytes = download.tries, download.received_bytes
        look.seconds = download.seconds
        look.outcome = download.reason or "ok"
        if download.reason is None:
            try:
                await self._prove(uuid, candidate, part.path)
            except Rejected as error:
                text = download.media_type.startswith(_TEXT_TYPES)
                page = error.reason == "undecodable" and text
                look.outcome = "not_a_video" if page else error.reason
            part.discard()
        self._refusals.note(link, look.outcome, self._clock())
        return look

    async def _working_link(self, link: str, expiry: datetime | None) -> str:
        """Return a link that may work: itself, or a fresh one.

        Discord serves attachments by signed links alone since 2024, so that a fresh link is
        wanted for one without a signature too; without a source of fresh ones it is tried.

        Raises:
            Rejected: bad_link, link_expired, link_not_local.
        """
        check_readable(link)
        expiry = expiry or expires_at(link)
        expired = expiry is not None and expiry < self._clock()
        if self._places.downloads is None:
            raise Rejected("link_expired" if expired else "link_not_local")
        if (expired or expiry is None) and self._places.fresh is not None:
            fresh = await self._places.fresh.get(link)
            if fresh is not None:
                check_readable(fresh)
                expiry = expires_at(fresh)
                expired, link = expiry is not None and expiry < self._clock(), fresh
        if expired:
            raise Rejected("link_expired")
        return link

    async def _prove(self, uuid: str, candidate: Mapping, path: Path) -> None:
        work = partial(self._prove_file, uuid, candidate_version(candidate), path)
        await asyncio.get_running_loop().run_in_executor(self._decoders, work)

    def _prove_file(self, uuid: str, version: str, path: Path) -> None:
        data = read_file(path, self._limit_bytes)
        properties = probe_video(data, max_megapixels=self._max_megapixels)
        self._ledger.keep(uuid, ShardItem(uuid, data, properties), version)


def read_file(path: Path, limit_bytes: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        Rejected: missing_file, too_large, unreadable_file.
    """
    try:
        if not path.is_file():
            raise Rejected("missing_file", str(path))
        if path.stat().st_size > limit_bytes:
            raise Rejected("too_large", str(path))
        return path.read_bytes()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ENOENT):
            raise Rejected("missing_file", error.strerror) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Rejected("unreadable_file", str(path)) from None
        raise


def local_file(video: str, folder: Path) -> Path:
    """Return the media file that an export's percent-encoded relative path names.

    Raises:
        Rejected: unsafe_path, if the path leads out of ``folder``; missing_file, if no file can
            have the name.
    """
    try:
        path = (folder / unquote(video)).resolve()
    except (ValueError, OSError, RuntimeError) as error:  # a NUL, a name too long, a loop of links
        is_long = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
        raise Rejected("missing_file" if is_long else "unsafe_path", video) from None
    if not path.is_relative_to(folder.resolve()):
        raise Rejected("unsafe_path", video)
    return path
