"""Times in an export: Discord's ids, and dates in the words of the exporter's language."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DISCORD_EPOCH_MS = 1_420_070_400_000
"""First millisecond of Discord's ids (2015-01-01 UTC)."""

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


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
        when = self.local(timestamp_ms)
        if self.language == "en-GB":
            return f"{when:%H:%M}"
        # .NET 8 writes a narrow no-break space here.
        return f"{when.hour % 12 or 12}:{when:%M}\u202f{'AM' if when.hour < 12 else 'PM'}"

    def short(self, timestamp_ms: int) -> str:
        """Date and time in figures (.NET's format g)."""
        when = self.local(timestamp_ms)
        date = f"{when:%d/%m/%Y}"
        if self.language != "en-GB":
            date = f"{when.month}/{when.day}/{when.year}"
        return f"{date} {self.time(timestamp_ms)}"

    def long(self, timestamp_ms: int) -> str:
        """Date in words, and time (.NET's format f)."""
        when = self.local(timestamp_ms)
        date = f"{when.day:02d} {_MONTHS[when.month - 1]} {when.year}"
        if self.language != "en-GB":
            weekday = _WEEKDAYS[when.weekday()]
            date = f"{weekday}, {_MONTHS[when.month - 1]} {when.day}, {when.year}"
        return f"{date} {self.time(timestamp_ms)}"
