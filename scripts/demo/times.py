"""Times in an export: Discord's ids, and dates in the words of the exporter's language."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DISCORD_EPOCH_MS = 1_420_070_400_000
"""First millisecond of Discord's ids (2015-01-01 UTC)."""


def snowflake(timestamp_ms: int, low_bits: int) -> int:
    """Return a Discord id of that millisecond; ``low_bits`` (22 of them) tell it from others."""
    return (timestamp_ms - DISCORD_EPOCH_MS) << 22 | low_bits & 0x3FFFFF


def timestamp_of(number: int) -> int:
    """Return the millisecond (UTC) in a Discord id."""
    return (number >> 22) + DISCORD_EPOCH_MS


@dataclass(frozen=True)
class Locale:
    """How an export writes times: the exporter's language and its machine's zone."""

    language: str
    utc_offset_h: int

    def local(self, timestamp_ms: int) -> datetime:
        """Return the time in the machine's zone."""
        whole = datetime.fromtimestamp(timestamp_ms // 1000, UTC)
        return whole + timedelta(hours=self.utc_offset_h)

    def time(self, timestamp_ms: int) -> str:
        """The time of day (.NET's format t)."""
        # .NET 8 writes a narrow no-break space in American times.
        return self._written(timestamp_ms, "{0:%H:%M}", "{0:%-I:%M}\u202f{0:%p}")

    def short(self, timestamp_ms: int) -> str:
        """Date and time in figures (.NET's format g)."""
        date = self._written(timestamp_ms, "{0:%d/%m/%Y}", "{0.month}/{0.day}/{0.year}")
        return f"{date} {self.time(timestamp_ms)}"

    def long(self, timestamp_ms: int) -> str:
        """Date in words, and time (.NET's format f)."""
        date = self._written(timestamp_ms, "{0:%d %B %Y}", "{0:%A, %B} {0.day}, {0.year}")
        return f"{date} {self.time(timestamp_ms)}"

    def _written(self, timestamp_ms: int, british: str, american: str) -> str:
        form = british if self.language == "en-GB" else american
        return form.format(self.local(timestamp_ms))
