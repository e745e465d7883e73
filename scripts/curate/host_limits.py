"""Manners towards one host: how many connections, how often, and when to leave it alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class HostLimits:
    """Gives out turns to ask a host, and knows when it has asked for a pause or is down."""

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
        self._next = 0.0
        self._paused_until = 0.0
        self._failures = 0

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

    def failed(self) -> None:
        """Note a link that failed all its tries, by a fault that may be the host's."""
        self._failures += 1

    def answered(self) -> None:
        """Note an answer, be it a refusal: the host is up."""
        self._failures = 0

    @property
    def is_down(self) -> bool:
        """Whether so many links in a row have failed that asking for more is a waste."""
        return self._failures >= self._give_up_after
