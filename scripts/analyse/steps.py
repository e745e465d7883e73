"""One step of the graph as an account sees it: what came in, what came out, and why not the rest."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from scripts.common.errors import UserError
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import ACCOUNT
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.tables import read_frame, write_table

NOTHING = pd.Series(dtype=object)
"""Outcomes of no item."""


@dataclass(frozen=True)
class Step:
    """What one step read, kept and rejected.

    Attributes:
        stage: of the step.
        name: the rule.
        unit: what is counted, in the plural.
        read: items that came in, counted where they came from.
        kept: items that came out.
        rejected: reason -> items that did not.
        part: generator, dimension or the like, where a rule runs once for each.
    """

    stage: str
    name: str
    unit: str
    read: int
    kept: int
    rejected: Counter[str] = field(default_factory=Counter)
    part: str = ""

    @property
    def title(self) -> str:
        """How errors call it."""
        return f"{self.name} {self.part}".strip()

    def rows(self) -> list[dict]:
        """Return rows of ``ACCOUNT``: one for each reason, or one without."""
        common = {
            "stage": self.stage,
            "step": self.name,
            "part": self.part,
            "unit": self.unit,
            "read": self.read,
            "kept": self.kept,
            "rejected": self.rejected.total(),
        }
        reasons = self.rejected.most_common() or [("", 0)]
        ordered = sorted(reasons, key=lambda pair: (-pair[1], pair[0]))
        return [common | {"reason": reason, "count": count} for reason, count in ordered]


def check_sum(step: Step) -> Step:
    """Return the step if read = kept + rejected.

    Raises:
        UserError: the sum is off; the step is named.
    """
    lost = step.read - step.kept - step.rejected.total()
    if lost:
        word = "lost" if lost > 0 else "from nowhere"
        raise UserError(
            f"account of {step.title}: read {step.read:,}, but kept {step.kept:,} + rejected "
            f"{step.rejected.total():,}: {abs(lost):,} {step.unit} {word}; delete this rule's "
            "outputs and run again, and report it if the sum is off again"
        )
    return step


def follow(
    stage: str,
    name: str,
    unit: str,
    read: Iterable[str],
    outcomes: pd.Series,
    part: str = "",
) -> Step:
    """Follow every single item through a step.

    Items that the step rejects although they never came in were rejected before (the index of
    images has a row for each video that is missing): they are not counted twice.

    Args:
        stage: of the step.
        name: the rule.
        unit: what is counted, in the plural.
        read: ids of the items that came in.
        outcomes: id -> reason, missing where the item was kept.
        part: generator, dimension or the like.

    Raises:
        UserError: an item came in and is neither kept nor rejected, or came out of nowhere, or
            is there twice; the step and the item are named.
    """
    title = f"{name} {part}".strip()
    ids = pd.Index(read)
    kept = outcomes.index[outcomes.isna()]
    for which, faulty in (
        ("came in twice", ids[ids.duplicated()]),
        ("came out twice", outcomes.index[outcomes.index.duplicated()]),
        ("came in and are neither kept nor rejected", ids.difference(outcomes.index)),
        ("were kept without having come in", kept.difference(ids)),
    ):
        if len(faulty):
            raise UserError(
                f"account of {title}: {len(faulty):,} {unit} {which}, such as {faulty[0]}; delete "
                "this rule's outputs and run again, and report it if the sum is off again"
            )
    rejected = outcomes[outcomes.notna() & outcomes.index.isin(ids)]
    reasons = Counter({str(key): int(value) for key, value in rejected.value_counts().items()})
    return check_sum(Step(stage, name, unit, len(ids), len(kept), reasons, part))


def index_outcomes(indexes: Sequence[Path | str]) -> pd.Series:
    """Return id -> reason of all items of some indexes (``ITEM_INDEX``)."""
    return reasons_of(read_frame(indexes, ITEM_INDEX, ["uuid", "status", "reason"]))


def reasons_of(table: pd.DataFrame, key: str = "uuid") -> pd.Series:
    """Return id -> reason from a table with ``status`` and ``reason``; missing where kept.

    Args:
        table: one row for each item.
        key: the column that names it.
    """
    reasons = table["reason"].where(table["status"] != "ok", None)
    # A rejected row without a reason still is a rejected row.
    unnamed = (table["status"] != "ok") & reasons.isna()
    return pd.Series(reasons.mask(unnamed, "no_reason").to_numpy(), index=pd.Index(table[key]))


def kept_ids(outcomes: pd.Series) -> pd.Index:
    """Return the ids of the items that were kept."""
    return outcomes.index[outcomes.isna()]


def listed(kept: Iterable[str], others: pd.Series = NOTHING) -> pd.Series:
    """Return outcomes of a step that lists what it keeps; ``others`` says why the rest is not.

    Args:
        kept: ids that the step lists.
        others: id -> reason; those of listed items are passed over.
    """
    kept = pd.Index(kept)
    rest = others[others.notna() & ~others.index.isin(kept)]
    return pd.concat([pd.Series([None] * len(kept), index=kept, dtype=object), rest])


def write_account(steps: Sequence[Step], account: Path) -> Counts:
    """Write the steps of a stage as a table of ``ACCOUNT``, and return their number."""
    write_table([row for step in steps for row in step.rows()], account, ACCOUNT)
    return Counts(kept=len(steps))
