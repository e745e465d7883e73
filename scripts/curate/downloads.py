"""Downloads by https: retried, resumed, bounded, and polite; one link at a time for its caller."""

import asyncio
import contextlib
import math
import random
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from scripts.common.errors import Rejected
from scripts.curate.link_policy import LinkPolicy, Network, PinnedTransport, host_of
from scripts.curate.partial_files import PartialFile, mark_of

MEGABYTE = 1_000_000
FIRST_WAIT_S = 1.0
_LOCATION = "location"
_REFUSALS = {404: "gone", 410: "gone", 401: "forbidden", 403: "forbidden", 451: "forbidden"}
_REDIRECTS = {301, 302, 303, 307, 308}
# No file has more bytes than fit into 18 digits, and Python refuses to read a number of 5,000.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_CONTENT_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_HEADERS = {
    "User-Agent": "tip-i2v-workflow",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # no small answer that unpacks to a large one
}


@dataclass
class Download:
    """What became of one link.

    Attributes:
        reason: why there is no file; None if there is one.
        media_type: as the server called it.
        tries: requests for it, redirects not counted.
        received_bytes: that came over the network, all tries together.
        seconds: spent on it, waiting included.
    """

    reason: str | None = None
    media_type: str = ""
    tries: int = 0
    received_bytes: int = 0
    seconds: float = 0.0


class _PassingFault(Exception):
    """A fault that another try may not meet."""

    def __init__(self, reason: str, wait_s: float | None = None):
        super().__init__(reason)
        self.reason, self.wait_s = reason, wait_s


class HostLimits:
    """Manners towards one host: how many connections, how often, and when to leave it alone.

    Attributes:
        failures: links in a row that failed all their tries, by a fault that may be the host's; an
            answer, be it a refusal, says that it is up.
    """

    def __init__(self, connections: int, per_second: float, give_up_after: int):
        """Set the limits.

        Args:
            connections: requests that may run at once.
            per_second: requests that may start in a second; 0 for any number.
            give_up_after: links in a row that failed all their tries before the host counts as
                down for the rest of the run.
        """
        self._slots = asyncio.Semaphore(connections)
        self._interval_s = 1 / per_second if per_second else 0.0
        self._give_up_after = give_up_after
        self._next = self._paused_until = 0.0
        self.failures = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        clock = asyncio.get_running_loop().time
        async with self._slots:
            while True:
                start = max(clock(), self._next)
                self._next = start + self._interval_s
                await asyncio.sleep(max(0.0, start - clock()))
                if clock() >= self._paused_until:
                    break
            yield

    def pause(self, seconds: float) -> None:
        """Start no request for some seconds: the host said that there were too many."""
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until = max(self._paused_until, until)
        self._next = max(self._next, until)

    @property
    def is_down(self) -> bool:
        """Whether so many links in a row have failed that asking for more is a waste."""
        return self.failures >= self._give_up_after


class Downloads(contextlib.AbstractAsyncContextManager):
    """Downloads links side by side; an asynchronous context manager.

    ``received_bytes`` counts what came over the network.
    """

    def __init__(self, links: Mapping[str, Any], network: Network | None = None):
        """Open nothing yet.

        Args:
            links: the configuration's ``curate.links``. The wait before a second try doubles for
                each further one, less up to half of it by chance. A proxy looks names up itself,
                so that it has to refuse private addresses.
            network: how hosts are reached; the internet by default.
        """
        self._links, network = links, network or Network()
        self._policy = LinkPolicy(links["hosts"], network)
        self._hosts: dict[str, HostLimits] = {}
        most = links["connections_per_host"]
        limits = httpx.Limits(max_connections=most, keepalive_expiry=30)
        if links["proxy"]:
            transport = httpx.AsyncHTTPTransport(proxy=links["proxy"], limits=limits)
        else:
            transport = PinnedTransport(self._policy, network, limits)
        read, connect = links["read_timeout_s"], links["connect_timeout_s"]
        self._client = httpx.AsyncClient(
            transport=transport,
            headers=_HEADERS,
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(read, connect=connect, pool=None),
            event_hooks={"response": [_take_location]},
        )
        self._first_wait_s = links.get("first_wait_s", FIRST_WAIT_S)
        self.received_bytes = 0

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def fetch(self, link: str, part: PartialFile) -> Download:
        """Download a link into ``part``, which goes on where an earlier try or run stopped.

        Returns:
            What became of it; with a reason, ``part`` holds what a later run can go on with, or
            nothing.
        """
        download, started = Download(), time.monotonic()
        if part.complete:
            return download
        try:
            await self._fetch(link, part, download)
        except Rejected as error:
            part.discard()
            download.reason = error.reason
        except _PassingFault as fault:
            download.reason = fault.reason
        download.seconds = time.monotonic() - started
        return download

    async def _fetch(self, link: str, part: PartialFile, download: Download) -> None:
        url = self._policy.check(link)
        host = self._limits(url)
        for attempt in range(1, self._links["tries"] + 1):
            if host.is_down:
                raise _PassingFault("host_down")
            download.tries = attempt
            try:
                await self._request(url, part, download)
                host.failures = 0
                return
            except Rejected:
                host.failures = 0
                raise
            except _PassingFault as fault:
                wait_s = fault.wait_s if fault.wait_s is not None else self._back_off(attempt)
                if attempt == self._links["tries"] or wait_s > self._links["longest_wait_s"]:
                    host.failures += 1
                    raise
            await asyncio.sleep(wait_s)

    async def _request(self, url: httpx.URL, part: PartialFile, download: Download) -> None:
        """Ask once, and follow redirects by hand, each checked like the link itself."""
        for _ in range(self._links["max_redirects"] + 1):
            headers = {}
            if part.mark:
                headers = {"Range": f"bytes={part.size}-", "If-Range": part.mark}
            before = download.received_bytes
            try:
                async with (
                    self._limits(url).turn(),
                    asyncio.timeout(self._links["total_timeout_s"]),
                    self._client.stream("GET", url, headers=headers) as response,
                ):
                    if response.status_code not in _REDIRECTS:
                        await self._receive(response, part, download)
                        return
                    location = response.extensions[_LOCATION]
            except (httpx.TimeoutException, TimeoutError):
                raise _PassingFault("timed_out") from None
            except (httpx.ConnectError, httpx.ProxyError):
                raise _PassingFault("unreachable") from None
            except httpx.TransportError:
                came = download.received_bytes > before
                raise _PassingFault("truncated" if came else "unreachable") from None
            try:
                url = self._policy.check(url.join(location))
            except (httpx.InvalidURL, ValueError) as error:
                raise Rejected("bad_link", str(error)) from None
        raise Rejected("too_many_redirects")

    async def _receive(self, response: httpx.Response, part: PartialFile, download: Download):
        """Write the body of an answer, from where it begins."""
        self._check_status(response)
        headers = response.headers
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise Rejected("compressed", headers["content-encoding"])
        mark = mark_of(headers.get("etag"), headers.get("last-modified"))
        at, total = self._span(response, part, mark)
        limit = self._links["max_mb"] * MEGABYTE
        if total is not None and total > limit:
            raise Rejected("too_large", f"{total} bytes")
        download.media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        with part.open(at, mark, total) as write:
            async for piece in response.aiter_raw():
                at += len(piece)
                download.received_bytes += len(piece)
                self.received_bytes += len(piece)
                if at > limit:
                    raise Rejected("too_large", f"over {limit:.0f} bytes")
                write(piece)
        if total is not None and at != total:
            raise _PassingFault("truncated")

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in (200, 203, 204, 206, 416):
            return
        if status in _REFUSALS:
            raise Rejected(_REFUSALS[status], str(status))
        wait_s = retry_after(response.headers.get("retry-after"))
        if status == 429:
            # The host means all of us, not this link.
            pause_s = self._first_wait_s if wait_s is None else wait_s
            self._limits(response.request.url).pause(min(pause_s, self._links["longest_wait_s"]))
            raise _PassingFault("too_many_requests", wait_s)
        if status >= 500:
            raise _PassingFault("server_error", wait_s)
        if status in (408, 425):
            raise _PassingFault("timed_out", wait_s)
        raise Rejected("refused", str(status))

    @staticmethod
    def _span(
        response: httpx.Response, part: PartialFile, mark: str | None
    ) -> tuple[int, int | None]:
        """Return where an answer's body begins in the file, and the file's size if it is said."""
        declared = response.headers.get("content-length")
        if response.status_code not in (206, 416):
            is_number = declared is not None and _CONTENT_LENGTH.fullmatch(declared)
            return 0, int(declared) if is_number else None
        # The rest of a file, if it is really that: asked for, from where we are, of the same file.
        span = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        fits = response.status_code == 206 and part.mark and span and int(span[1]) == part.size
        if not fits or (mark is not None and mark != part.mark and part.mark.startswith('"')):
            part.discard()
            raise _PassingFault("bad_range", 0.0)
        return part.size, None if span[3] == "*" else int(span[3])

    def _limits(self, url: httpx.URL) -> HostLimits:
        host = host_of(url)
        if host not in self._hosts:
            names = ("connections_per_host", "requests_per_second", "give_up_after")
            self._hosts[host] = HostLimits(*(self._links[name] for name in names))
        return self._hosts[host]

    def _back_off(self, attempt: int) -> float:
        """Return the wait after a failed try: doubling, and spread so that tries do not march."""
        wait_s = self._first_wait_s * 2 ** (attempt - 1)
        return min(wait_s, self._links["longest_wait_s"]) * random.uniform(0.5, 1.0)


async def _take_location(response: httpx.Response) -> None:
    """Put by where an answer redirects to, before httpx reads it: not all that it reads is good."""
    response.extensions[_LOCATION] = response.headers.pop("location", "")


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for; None if it asks for none.

    Args:
        value: seconds (Discord sends fractions), or a date.
        now: the present by default.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
            if date.tzinfo is None:  # "-0000": UTC by RFC 5322
                date = date.replace(tzinfo=UTC)
            seconds = (date - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
