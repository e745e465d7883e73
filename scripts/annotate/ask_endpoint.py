"""Ask a model behind an endpoint about text prompts (Section 3, Supplement 10)."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from scripts.annotate.annotator import ALL, VECTORS, Annotator
from scripts.annotate.text_annotations import TEXT_ANNOTATIONS, TextShard
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts


def ask_endpoint(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    annotations: Sequence[Path],
    vectors: Sequence[Path] = (),
    *,
    annotation: str,
    entry: Mapping[str, Any],
    service: Mapping[str, Any],
    budget_usd: float | None,
    shard: str = ALL,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write an annotation of each prompt that has an image; no text is paid for twice.

    By the batch API, one job does this for all shards: it waits for what ``submit_batches`` sent,
    sends what had no room or came back without an answer, and goes on where it was killed.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order.
        annotations: the annotation's tables, in the same order.
        vectors: of embeddings, the tables of ``embeddings``.
        annotation: one of ``TEXT_ANNOTATIONS``.
        entry: of the annotator; this and what follows as ``Annotator`` has them.
        service: how it is reached.
        budget_usd: what the annotation may cost.
        shard: the one that there is, or ``ALL``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of prompts.

    Raises:
        UserError: the budget does not cover them, or the endpoint does not work.
    """
    annotator = Annotator(
        entry, annotation, shard, service=service, budget_usd=budget_usd, ledger_root=ledger_root
    )
    kind = TEXT_ANNOTATIONS[annotation]
    texts: dict[str, str] = {}
    tasks = []
    for part in map(TextShard, prompts, indexes):
        found = part.texts()
        tasks.append(annotator.task(kind, dict.fromkeys(found), part=part.name))
        texts |= found
    annotator.ask(tasks, texts)
    counts = Counts(declared=0)
    for task, table, vector in zip_longest(tasks, annotations, vectors):
        counts += annotator.write(task, kind, {annotation: table, VECTORS: vector})
    return counts


if __name__ == "__main__":
    run_job(ask_endpoint, snakemake)
