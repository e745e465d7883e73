"""Send the text prompts of all shards to an endpoint's batch API, and wait for no answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.annotator import Annotator
from scripts.annotate.text_annotations import texts_of
from scripts.common.fingerprints import fingerprint
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import SUBMITTED
from scripts.common.tables import write_table


def submit_batches(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    submitted: Path,
    *,
    entries: Mapping[str, Mapping[str, Any]],
    terms: Mapping[str, Any],
    ledger_root: Path = LEDGER,
) -> Counts:
    """Send what is neither finished nor in flight.

    Batches are written down in the ledger before they are sent: a job that is killed, and runs
    again, sends and pays nothing twice. The table changes with what is wanted, and with nothing
    else: it alone says whether the answers are to be fetched again.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order.
        submitted: table of ``SUBMITTED``.
        entries: one of ``TEXT_ANNOTATIONS`` -> its annotator.
        terms: as ``Annotator``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of texts in flight.

    Raises:
        UserError: the budget does not cover them (nothing is sent then), or the endpoint does not
            work.
    """
    ((annotation, entry),) = entries.items()
    annotator = Annotator(entry, annotation, terms=terms, ledger_root=ledger_root)
    left: dict[str, str] = {}
    rows = []
    for paths in zip(prompts, indexes, strict=True):
        texts, shard = texts_of(*paths), paths[1].stem
        left |= annotator.left(shard, texts)
        checksum = fingerprint(uuids=list(texts))
        rows.append({"shard": shard, "prompts": len(texts), "checksum": checksum})
    counts = Counts(kept=annotator.backend.submit(left) if left else 0)
    write_table(rows, submitted, SUBMITTED, sort_by=["shard"])
    if waiting := len(left) - counts.kept:
        counts.notes.append(f"{waiting:,} texts wait for room; fetch_batches sends them")
    return counts


if __name__ == "__main__":
    run_job(submit_batches, snakemake)
