"""What steps kept of what they read, as the account or the logs of a run have it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.analyse.csv_files import read_csv

SHOWN_REASONS = 3
"""Reasons that are named; the others are summed up."""

_SENTENCE = re.compile(
    r"read ([\d,]+) = kept ([\d,]+) \+ rejected [\d,]+(?: \((.+)\))?(?: \+ missing [\d,]+)?$"
)
"""The closing line of a log, as ``Counts.sentence`` writes it."""
_REASON = re.compile(r"(\w+) ([\d,]+)(?:, |$)")


@dataclass(frozen=True)
class Kept:
    """What a step, or one part of it, kept of what it read.

    Attributes:
        stage: of the step.
        step: the rule.
        part: generator, dimension or the like.
        unit: what is counted, in the plural; empty where nobody knows.
        read: items that came in.
        kept: items that came out.
        reasons: reason -> items that did not.
    """

    stage: str
    step: str
    part: str = ""
    unit: str = ""
    read: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def largest_first(self) -> dict[str, int]:
        """The reasons, the most frequent one first."""
        return dict(sorted(self.reasons.items(), key=lambda pair: (-pair[1], pair[0])))

    def sentence(self) -> str:
        """Return it as a reader takes it: ``153 of 160 videos``."""
        return f"{self.kept:,} of {self.read:,} {self.unit}".strip()


def read_funnel(funnel: Path) -> list[Kept]:
    """Return all parts of all steps, in the order of the graph, from the CSV of ``account``."""
    parts: dict[tuple[str, ...], Kept] = {}
    for row in read_csv(funnel):
        key = row["stage"], row["step"], row["part"], row["unit"]
        part = parts.setdefault(key, Kept(*key, read=int(row["read"]), kept=int(row["kept"])))
        if row["reason"]:
            part.reasons[row["reason"]] += int(row["count"])
    return list(parts.values())


def read_log(log: Path, stage: str, step: str, part: str) -> Kept | None:
    """Return what the last line of a rule's log says, or None if it says nothing of the kind."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found = _SENTENCE.search(lines[-1]) if lines else None
    if found is None:
        return None
    read, kept, named = found.groups()
    reasons = Counter({name: _number(n) for name, n in _REASON.findall(named or "")})
    return Kept(stage, step, part, "", _number(read), _number(kept), reasons)


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def sum_up(parts: Iterable[Kept], *, by_part: bool = False) -> list[Kept]:
    """Return each step once, its parts summed up, in the order of the parts given.

    What a step counts in another unit stands apart: exports and their messages make no sum.

    Args:
        parts: of steps; of a part there may be several, such as shards.
        by_part: sum up what is of one part only.
    """
    steps: dict[tuple[str, ...], Kept] = {}
    for part in parts:
        key = (part.stage, part.step, part.part if by_part else "", part.unit)
        before = steps.get(key, Kept(*key))
        steps[key] = replace(
            before,
            read=before.read + part.read,
            kept=before.kept + part.kept,
            reasons=before.reasons + part.reasons,
        )
    return list(steps.values())


def in_words(reasons: Mapping[str, int]) -> str:
    """Return the first reasons with their numbers, and how many there are besides."""
    named = [f"{name.replace('_', ' ')} {number:,}" for name, number in reasons.items()]
    rest = sum(list(reasons.values())[SHOWN_REASONS:])
    return ", ".join(named[:SHOWN_REASONS] + ([f"others {rest:,}"] if rest else []))
