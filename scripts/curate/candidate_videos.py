"""The search for a prompt's video: in its candidates' order, beside the export, mirror, link."""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from scripts.common.errors import Rejected
from scripts.common.faults import Failures, first_line
from scripts.common.ledger import FileLedger
from scripts.common.shards import ShardItem
from scripts.common.video import probe_video
from scripts.curate.media_links import (
    RefusedLinks,
    candidate_version,
    check_readable,
    expires_at,
    is_link,
)
from scripts.curate.partial_files import PartialFile

if TYPE_CHECKING:  # a run with local media alone starts without them
    from scripts.curate.downloads import Downloads
    from scripts.curate.fresh_links import FreshLinks
    from scripts.curate.mirror import Mirror

MEGABYTE = 1_000_000
_TEXT_TYPES = ("text/", "application/json", "application/xml")
_NO_SUCH_FILE = (errno.ENAMETOOLONG, errno.ENOENT)


@dataclass
class Look:
    """One look for one candidate in one place: a row of ``VIDEO_CANDIDATES``."""

    place: str | None
    outcome: str = "ok"
    tries: int = 0
    received_bytes: int = 0
    seconds: float | None = None


@dataclass
class CandidateVideos:
    """Looks for videos, proves each by decoding it, and puts what is good into a ledger.

    Attributes:
        folders: export -> the folder in which its HTML lies.
        links: the configuration's ``curate.links``.
        ledger: takes the good videos.
        refusals: of this and earlier runs.
        parts: folder of unfinished downloads.
        decoders: where videos are proved; one is in memory for each of its threads.
        clock: the present, which decides which links have expired.
        mirror: looked at before a link, if there is one.
        downloads: fetches links, if they are to be fetched.
        fresh: gives fresh links for those that cannot work any more, if it is there.
        looks: the account of all candidates: rows of ``VIDEO_CANDIDATES``.
        notes: what went wrong in unforeseen ways.
    """

    folders: Mapping[str, Path]
    links: Mapping[str, Any]
    ledger: FileLedger
    refusals: RefusedLinks
    parts: Path
    decoders: Executor
    clock: Callable[[], datetime]
    mirror: "Mirror | None" = None
    downloads: "Downloads | None" = None
    fresh: "FreshLinks | None" = None
    looks: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _failures: Failures = field(default_factory=partial(Failures, "the search for videos"))

    def recall(self, uuid: str, candidates: Sequence[Mapping]) -> str | None:
        """Return the version under which an earlier run has the video of a candidate, if it has."""
        for number, candidate in enumerate(candidates):
            version = candidate_version(candidate)
            if self.ledger.holds(uuid, version):
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
        part = PartialFile(self.parts / f"{uuid}-{candidate_version(candidate)}.part")
        looks = []
        if self.mirror is not None:
            look = await self._in_mirror(uuid, candidate, part.path.with_suffix(".copy"))
            looks += [look] if look else []
        if not looks or looks[-1].outcome != "ok":
            looks.append(await self._by_link(uuid, candidate, part))
        return looks

    async def _in_media(self, uuid: str, candidate: Mapping) -> Look:
        try:
            path = local_file(candidate["video"], self.folders[candidate["export"]])
            await self._prove(uuid, candidate, path)
        except Rejected as error:
            return Look("media", error.reason)
        return Look("media")

    async def _in_mirror(self, uuid: str, candidate: Mapping, copy: Path) -> Look | None:
        try:
            bring = partial(self.mirror.bring, limit_bytes=self._limit_bytes)
            path = await asyncio.to_thread(bring, candidate["video"], copy)
            if path is None:
                return None
            await self._prove(uuid, candidate, path)
        except Rejected as error:
            return Look("mirror", error.reason)
        finally:
            copy.unlink(missing_ok=True)
        return Look("mirror")

    async def _by_link(self, uuid: str, candidate: Mapping, part: PartialFile) -> Look:
        try:
            link = await self._working_link(candidate["video"], candidate["video_expires_utc"])
        except Rejected as error:
            return Look("link", error.reason)
        if reason := self.refusals.reason(link, self.clock()):
            return Look("link", reason)
        got = await self.downloads.fetch(link, part)
        look = Look("link", got.reason or "ok", got.tries, got.received_bytes, got.seconds)
        if got.reason is None:
            try:
                await self._prove(uuid, candidate, part.path)
            except Rejected as error:
                is_page = error.reason == "undecodable" and got.media_type.startswith(_TEXT_TYPES)
                look.outcome = "not_a_video" if is_page else error.reason
            part.discard()
        self.refusals.note(link, look.outcome, self.clock())
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
        expired = expiry is not None and expiry < self.clock()
        if self.downloads is None:
            raise Rejected("link_expired" if expired else "link_not_local")
        if (expired or expiry is None) and self.fresh is not None:
            fresh = await self.fresh.get(link)
            if fresh is not None:
                check_readable(fresh)
                expiry = expires_at(fresh)
                expired, link = expiry is not None and expiry < self.clock(), fresh
        if expired:
            raise Rejected("link_expired")
        return link

    async def _prove(self, uuid: str, candidate: Mapping, path: Path) -> None:
        def prove() -> None:
            data = read_file(path, self._limit_bytes)
            properties = probe_video(data, max_megapixels=self.links["max_megapixels"])
            item = ShardItem(uuid, data, properties)
            self.ledger.keep(uuid, item, candidate_version(candidate))

        await asyncio.get_running_loop().run_in_executor(self.decoders, prove)

    @property
    def _limit_bytes(self) -> int:
        return int(self.links["max_mb"] * MEGABYTE)


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
        if error.errno in _NO_SUCH_FILE:
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
        is_long = getattr(error, "errno", None) in _NO_SUCH_FILE
        raise Rejected("missing_file" if is_long else "unsafe_path", video) from None
    if not path.is_relative_to(folder.resolve()):
        raise Rejected("unsafe_path", video)
    return path
