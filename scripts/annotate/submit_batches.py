"""Send the text prompts of all shards to an endpoint's batch API, and wait for no answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.annotator import Annotator
from scripts.annotate.text_annotations import TextShard
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import BATCHES
from scripts.common.tables import write_table


def submit_batches(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    batches: Path,
    *,
    annotation: str,
    entry: Mapping[str, Any],
    service: Mapping[str, Any],
    budget_usd: float | None,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Send what is neither finished nor in flight; write down which batches are.

    They are written down in the ledger before they are sent as well: a job that is killed, and
    runs again, sends and pays nothing twice.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order.
        batches: table of ``BATCHES``.
        annotation: one of ``TEXT_ANNOTATIONS``.
        entry: of the annotator; this and what follows as ``Annotator`` has them.
        service: how it is reached.
        budget_usd: what the annotation may cost.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of texts in flight.

    Raises:
        UserError: the budget does not cover them (nothing is sent then), or the endpoint does not
            work.
    """
    annotator = Annotator(
        entry, annotation, service=service, budget_usd=budget_usd, ledger_root=ledger_root
    )
    left: dict[str, str] = {}
    for shard in map(TextShard, prompts, indexes):
        left |= annotator.left(shard.name, shard.texts())
    flights = annotator.backend.submit(left) if left else []
    rows = [{"batch": batch, "texts": texts} for batch, texts in flights]
    write_table(rows, batches, BATCHES, sort_by=["batch"])
    counts = Counts(kept=sum(texts for _, texts in flights))
    if waiting := len(left) - counts.kept:
        counts.notes.append(f"{waiting:,} texts wait for room; fetch_batches sends them")
    return counts


if __name__ == "__main__":
    run_job(submit_batches, snakemake)
