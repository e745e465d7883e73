"""Links that were refused for good, remembered from run to run."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from scripts.curate.media_links import short_hash

LASTING = {"gone", "empty_file", "undecodable", "no_frames", "not_a_video", "compressed"}
"""Reasons that the same link would give tomorrow; others are tried again by every run."""


class RefusedLinks:
    """A file with a line for each refusal: hash of the link, signature included; reason; time.

    A link that is signed anew is another link. Each line is on disk before the next link is
    asked for; a line that a killed run left torn is passed over.
    """

    def __init__(self, path: Path, days: float):
        """Read what earlier runs noted.

        Args:
            path: the file, which need not exist.
            days: for which a refusal is remembered.
        """
        self._path, self._span = Path(path), timedelta(days=days)
        self._refused: dict[str, tuple[str, datetime]] = {}
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        for line in lines:
            try:
                name, reason, moment = json.loads(line)
                if reason in LASTING:
                    self._refused[name] = reason, datetime.fromisoformat(moment)
            except (ValueError, TypeError):
                continue

    def reason(self, link: str, now: datetime) -> str | None:
        """Return why a link was refused not long ago, or None."""
        reason, moment = self._refused.get(short_hash(link), (None, now))
        return reason if now - moment <= self._span else None

    def note(self, link: str, reason: str, now: datetime) -> None:
        """Remember a refusal, if its reason is a lasting one."""
        if reason not in LASTING:
            return
        name = short_hash(link)
        self._refused[name] = reason, now
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a") as file:
            # A line of its own also after a torn one.
            file.write(f"\n{json.dumps([name, reason, now.isoformat()])}")
