"""Embed the prompts with which TIP-I2V's are compared, all by one model (Section 4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.analyse.map_prompts import draw_prompts
from scripts.annotate.annotator import VECTORS, Annotator
from scripts.annotate.embedding import EMBEDDING
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts

SCRIPT = "scripts/analyse/embed_outside_prompts.py"
OUTSIDE = "outside"


def embed_outside_prompts(
    prompts: Sequence[Path],
    annotations: Sequence[Path],
    vectors: Sequence[Path],
    *,
    entry: Mapping[str, Any],
    labels: Sequence[str],
    batch_size: int,
    most: int,
    seed: int,
    device: str = "cpu",
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the embeddings of each data set's prompts.

    Args:
        prompts: tables of ``DATASET`` or ``OUTSIDE_PROMPTS``.
        annotations: for each, which of the drawn prompts have a vector (``EMBEDDED``).
        vectors: for each, their vectors (``embeddings``).
        entry: a TextEmbedder on this machine.
        labels: how the data sets are called.
        batch_size: prompts per call of the model; it changes no result.
        most: prompts that are drawn of a data set.
        seed: of the draw.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of prompts.
    """
    counts = Counts()
    annotator = Annotator(entry, OUTSIDE, "", SCRIPT, device, {}, ledger_root)
    for table, label, status, path in zip(prompts, labels, annotations, vectors, strict=True):
        rows = draw_prompts(table, label=label, seed=seed, counts=counts, most=most)
        texts = dict(sorted(rows.select("UUID", "text").iter_rows()))
        part = path.stem
        task = annotator.task(EMBEDDING, dict.fromkeys(texts), part=part, batch_size=batch_size)
        annotator.finish([task], texts)
        done = annotator.write(task, EMBEDDING, {OUTSIDE: status, VECTORS: path})
        counts.keep(done.kept)
        counts.rejected += done.rejected
    return counts


if __name__ == "__main__":
    run_job(embed_outside_prompts, snakemake)
