"""A rule's log: what it did, and a last line in which nothing is lost silently."""

import contextlib
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.faults import disk_fault
from scripts.common.provenance import record_job


@dataclass
class Counts:
    """What a step read, kept and rejected; every rejected item has one reason.

    ``read`` is counted on its own, not derived, so that a step that loses an item is found out.
    Where a step has no independent count, ``keep`` and ``reject`` count what they see as read.
    """

    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    declared: int | None = None
    notes: list[str] = field(default_factory=list)

    def keep(self, number: int = 1) -> None:
        """Count ``number`` items as kept."""
        self.kept += number

    def reject(self, reason: str, number: int = 1) -> None:
        """Count ``number`` items as rejected for ``reason``."""
        if number:
            self.rejected[reason] += number

    @property
    def read(self) -> int:
        """Items that came in: as declared by the source, or else as seen."""
        return self.seen if self.declared is None else self.declared

    @property
    def seen(self) -> int:
        """Items that were kept or rejected."""
        return self.kept + self.rejected.total()

    @property
    def lost(self) -> int:
        """Items that the source declared and that were neither kept nor rejected."""
        return self.read - self.seen

    def __add__(self, other: "Counts") -> "Counts":
        declared = None
        if self.declared is not None or other.declared is not None:
            declared = self.read + other.read
        return Counts(
            kept=self.kept + other.kept,
            rejected=self.rejected + other.rejected,
            declared=declared,
            notes=self.notes + other.notes,
        )

    def sentence(self) -> str:
        """The closing line: ``read 1,072 = kept 266 + rejected 806 (not_a_bot 712, ...)``."""
        line = f"read {self.read:,} = kept {self.kept:,} + rejected {self.rejected.total():,}"
        if self.rejected:
            reasons = ", ".join(f"{name} {n:,}" for name, n in self.rejected.most_common())
            line += f" ({reasons})"
        if self.lost:
            line += f" + missing {self.lost:,}"
        return line

    @classmethod
    def of_statuses(cls, statuses: Mapping[str, str | None]) -> "Counts":
        """Counts from a mapping item -> reason, where None means kept."""
        counts = cls()
        for reason in statuses.values():
            counts.keep() if reason is None else counts.reject(reason)
        return counts


class RuleLog:
    """Writes one rule's messages to its log file and, where they matter, to the terminal."""

    def __init__(self, logger: logging.Logger):
        self._logger = logger

    def info(self, message: str) -> None:
        """Note something that a reader of the log would want to know."""
        self._logger.info(message)

    def finish(self, counts: Counts) -> None:
        """Write the notes and the closing line.

        Notes, and items that a source declared but did not hold (a truncated export), are shown on
        the terminal as well: they are not an error of the rule, but nobody may overlook them.
        """
        lines = [*counts.notes, counts.sentence()]
        for line in lines:
            self.info(line)
        for line in lines if counts.lost else counts.notes:
            print(line, file=sys.stderr)


@contextlib.contextmanager
def rule_log(job: Any) -> Iterator[RuleLog]:
    """Open the log of a rule, and leave a record of its job when all went well.

    A ``UserError`` ends the process with its one sentence, in the log and on the terminal, and so
    does a full disk, of which no torn output is left, since Snakemake may itself find no room to see
    to them; any other error leaves its traceback in the log and is raised.

    Args:
        job: the object ``snakemake`` of a script; or the path of a log alone, without a record.
    """
    path, started = Path(job if isinstance(job, str | Path) else job.log[0]), time.monotonic()
    logger = logging.getLogger(f"tip_i2v.{path}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler: logging.Handler = logging.NullHandler()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, mode="w", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
        yield RuleLog(logger)
        if not isinstance(job, str | Path):
            record_job(job, time.monotonic() - started)
    except BaseException as error:
        full = disk_fault(error)
        told = error if isinstance(error, UserError) else full
        for output in job.output if full and not isinstance(job, str | Path) else ():
            with contextlib.suppress(OSError):
                Path(output).unlink()
        logger.error(str(told or traceback.format_exc()))
        if told is None:
            raise
        print(f"Error: {told}", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        logger.removeHandler(handler)
        handler.close()


class _LogFile(logging.FileHandler):
    """A log whose disk may be full: what it does not take is lost, and the job's error is not."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()
