"""Merge the variants of each subject over all shards (Supplement 10)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.annotate.annotator import ALL, Annotator
from scripts.annotate.embedding import EMBEDDING
from scripts.annotate.subject_clusters import METHODS
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import SUBJECT, SUBJECTS, variant_embeddings
from scripts.common.tables import embedding_array, read_table, write_table

SCRIPT = "scripts/annotate/merge_subjects.py"
_SLICE = 4096
"""Vectors that are read from the ledger at a time."""


def merge_subjects(
    annotations: Sequence[Path],
    subjects: Path,
    *,
    entries: Mapping[str, Mapping[str, Any]],
    batch_size: int,
    method: str,
    min_cluster_size: int,
    epsilon: float,
    device: str = "cpu",
    terms: Mapping[str, Any] | None = None,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Give each variant of a subject the most frequent variant near it as its name.

    'For the subject Dragon, GPT-4o may output Dragon, Dragons, Dragon, creature or Dragon
    creature' (Supplement 10). Unique variants are embedded and clustered, not all prompts.

    Args:
        annotations: tables of ``SUBJECT``.
        subjects: table of ``SUBJECTS``, sorted by variant.
        entries: ``subjects`` -> a TextEmbedder.
        batch_size: variants per call of the embedder; it changes no result.
        method: one of ``METHODS``.
        min_cluster_size: fewest variants that make a subject together.
        epsilon: distance of unit vectors; its meaning is the method's.
        device: ``cpu``, ``cuda`` or ``auto``.
        terms: of an embedder behind an endpoint, as ``Annotator``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of variants; none is rejected: what is near no other is a subject of its own.

    Raises:
        UserError: there are more variants than the method can do.
    """
    ((name, entry),) = entries.items()
    annotator = Annotator(entry, name, ALL, SCRIPT, device, terms or {}, ledger_root)
    tagged = read_table(annotations, SUBJECT, columns=["subject"])["subject"]
    counter = {found["values"]: found["counts"] for found in pc.value_counts(tagged).to_pylist()}
    variants = sorted(filter(None, counter))
    counts = np.array([counter[variant] for variant in variants], np.int64)
    vectors = _embed(variants, annotator, batch_size)
    names = METHODS[method](vectors, counts, min_cluster_size=min_cluster_size, epsilon=epsilon)
    columns = {
        "variant": variants,
        "subject": [variants[name] for name in names],
        "count": counts,
        "cluster": _rank_clusters(names, counts).astype(np.int32),
    }
    write_table(pa.table(columns), subjects, SUBJECTS, sort_by=["variant"])
    return Counts(kept=len(variants), declared=len(variants))


def _embed(variants: Sequence[str], annotator: Annotator, batch_size: int) -> np.ndarray:
    """Return float32 of shape (variants, dimension), recalled from the ledger or made."""
    if not variants:
        return np.empty((0, 1), np.float32)
    dimension = annotator.dimension
    # Of like length, so that a batch is not padded to its one long string.
    texts = {variant: variant for variant in sorted(variants, key=len)}
    schema = variant_embeddings(dimension)
    in_float32 = replace(EMBEDDING, columns=lambda vector: {"embedding": vector})
    task = annotator.task(
        in_float32, dict.fromkeys(texts), schema, key="variant", batch_size=batch_size
    )
    annotator.finish([task], texts)
    # A variant without a vector is near no other: it stays a subject of its own.
    vectors = np.zeros((len(variants), dimension), np.float32)
    there = [number for number, variant in enumerate(variants) if variant not in task.faults]
    for start in range(0, len(there), _SLICE):
        numbers = there[start : start + _SLICE]
        table = task.ledger.read([variants[number] for number in numbers])
        vectors[numbers] = embedding_array(table["embedding"])
    return vectors


def _rank_clusters(names: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return each variant's cluster, 0 for the one with most prompts, -1 for a lone variant."""
    sizes = np.bincount(names, minlength=len(names))
    prompts = np.bincount(names, weights=counts, minlength=len(names))
    together = np.flatnonzero(sizes > 1)
    ranks = np.full(len(names), -1)
    ranks[together[np.argsort(-prompts[together], kind="stable")]] = np.arange(len(together))
    return ranks[names]


if __name__ == "__main__":
    run_job(merge_subjects, snakemake)
