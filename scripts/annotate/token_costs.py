"""What a model behind an endpoint costs: tokens, prices, and a budget that all jobs share."""

import json
import math
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.ledger import write_atomically

BATCH = "batch"
_WRITE_SECONDS = 1.0
"""How often costs are put on disk: a shared file system would not bear it for each of 27,000."""


@dataclass(frozen=True)
class Price:
    """Prices of one model, from its entry's ``service.price``.

    Attributes:
        input_usd: US dollars for a million tokens that are sent.
        output_usd: US dollars for a million tokens that are answered.
        batch_share: part of these that the batch API takes.
        as_of: day on which the prices were looked up.
    """

    input_usd: float
    output_usd: float = 0.0
    batch_share: float = 1.0
    as_of: str = ""

    def cost(self, input_tokens: float, output_tokens: float, mode: str) -> float:
        """Return US dollars for so many tokens."""
        usd = (self.input_usd * input_tokens + self.output_usd * output_tokens) / 1e6
        return usd * (self.batch_share if mode == BATCH else 1)


def estimate_tokens(text: str) -> int:
    """Return more tokens than a text of words has.

    Tokenizers divide a text into runs of letters, of digits and of all else before they look for
    tokens, so that a token is of one run. A run of letters or digits has one for three characters
    (English has more than four in a token, and digits come in threes); any other character but a
    space, which goes with the word after it, is one; and outside of ASCII it is one for each byte,
    of which no tokenizer makes more.
    """
    runs = re.findall(r"[A-Za-z]+|[0-9]+", text)
    others = re.sub(r"[A-Za-z0-9]+|(?<! ) (?=[A-Za-z])", "", text)
    return sum(math.ceil(len(run) / 3) for run in runs) + len(others.encode(errors="replace"))


@dataclass
class Account:
    """What one annotation has cost and may still cost, over all jobs and runs.

    Each job keeps a small file in a folder that all share: what it has spent, and what it may yet
    spend (``reserved``). It writes its own before it reads the others', so that of two jobs that
    ask at the same time at least one sees both.

    Attributes:
        folder: ``LEDGER / annotate / spending / <annotation>``; without one, nothing is kept.
        job: name of this job's file.
        budget_usd: what all of them may cost together; None for no bound.
    """

    folder: Path | None = None
    job: str = ""
    budget_usd: float | None = None
    _spent: float = 0.0
    _reserved: float = 0.0
    _written_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.folder and self._file.exists():
            self._spent = json.loads(self._file.read_text())["spent_usd"]

    @property
    def spent_usd(self) -> float:
        """What all jobs have spent."""
        return self._spent + sum(file["spent_usd"] for file in self._others())

    @property
    def total_usd(self) -> float:
        """What all jobs have spent and reserved."""
        own = self._spent + self._reserved
        return own + sum(file["spent_usd"] + file["reserved_usd"] for file in self._others())

    def reserve(self, usd: float) -> None:
        """Set aside what is yet to be spent, in place of what this job had reserved before."""
        with self._lock:
            self._reserved = usd
            self._write()

    def pay(self, usd: float, reserved_usd: float) -> None:
        """Book what an item cost in place of what was reserved for it; threads may call it."""
        with self._lock:
            self._spent += usd
            self._reserved = max(0.0, self._reserved - reserved_usd)
            if time.monotonic() - self._written_at > _WRITE_SECONDS:
                self._write()

    def close(self, *, in_flight: bool = False) -> None:
        """Put on disk what was booked; free what is reserved, unless it may yet be spent."""
        with self._lock:
            self._reserved *= in_flight
            self._write()

    def find_overrun(self) -> UserError | None:
        """Return the error with which to send no more, if the budget does not cover it."""
        total = self.total_usd
        if self.folder is None or self.budget_usd is None or total <= self.budget_usd:
            return None
        return UserError(
            f"what was spent and what is left to send come to about ${total:,.2f}, more than the "
            f"${self.budget_usd:,.2f} of annotate.budget_usd.{self.folder.name}; no more is sent: "
            "raise the budget or choose another annotator, and run again: what is finished is kept"
        )

    @property
    def _file(self) -> Path:
        return Path(self.folder or "", f"{self.job}.json")

    def _others(self) -> list[dict]:
        paths = self.folder.glob("*.json") if self.folder else ()
        return [json.loads(path.read_text()) for path in paths if path != self._file]

    def _write(self) -> None:
        self._written_at = time.monotonic()
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            costs = {"spent_usd": self._spent, "reserved_usd": self._reserved}
            write_atomically(self._file, json.dumps(costs).encode())
