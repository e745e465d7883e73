"""Merge the variants of each subject over all shards (Supplement 10)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.annotate.annotator import Annotation, Annotator
from scripts.annotate.embedding import embed
from scripts.annotate.subject_clusters import find_names
from scripts.common.code import settings_of
from scripts.common.engine import run
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import SUBJECT, SUBJECTS, variant_embeddings
from scripts.common.tables import embedding_array, read_table, write_table

SCRIPT = "scripts/annotate/merge_subjects.py"
_SLICE = 4096
"""Vectors that are read from the ledger at a time."""


def merge_subjects(
    annotations: Sequence[Path],
    subjects: Path,
    annotator: Annotator,
    *,
    batch_size: int,
    min_cluster_size: int,
    epsilon: float,
) -> Counts:
    """Give each variant of a subject the most frequent variant near it as its name.

    'For the subject Dragon, GPT-4o may output Dragon, Dragons, Dragon, creature or Dragon
    creature' (Supplement 10). Unique variants are embedded and clustered, not all prompts.

    Args:
        annotations: tables of ``SUBJECT``.
        subjects: table of ``SUBJECTS``, sorted by variant.
        annotator: a TextEmbedder.
        batch_size: variants per call of the embedder; it changes no result.
        min_cluster_size: fewest variants that make a subject together.
        epsilon: greatest distance of a variant's vector from its subject's.

    Returns:
        Counts of variants; none is rejected: what is near no other is a subject of its own.
    """
    tagged = read_table(annotations, SUBJECT, columns=["subject"])["subject"]
    counter = {found["values"]: found["counts"] for found in pc.value_counts(tagged).to_pylist()}
    variants = sorted(filter(None, counter))
    counts = np.array([counter[variant] for variant in variants], np.int64)
    vectors = _embed(variants, annotator, batch_size)
    names = find_names(vectors, counts, min_cluster_size=min_cluster_size, epsilon=epsilon)
    clusters = _rank_clusters(names, counts)
    columns = {
        "variant": variants,
        "subject": [variants[name] for name in names],
        "count": counts,
        "cluster": clusters.astype(np.int32),
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
    task = annotator.task(
        _VARIANT, dict.fromkeys(texts), schema, key="variant", batch_size=batch_size
    )
    if annotator.is_remote:
        annotator.ask(task, texts)
    else:
        run([task], texts.__getitem__, what="subjects")
    # A variant without a vector is near no other: it stays a subject of its own.
    vectors = np.zeros((len(variants), dimension), np.float32)
    there = [number for number, variant in enumerate(variants) if variant not in task.faults]
    for start in range(0, len(there), _SLICE):
        numbers = there[start : start + _SLICE]
        table = task.ledger.read([variants[number] for number in numbers])
        vectors[numbers] = embedding_array(table["embedding"])
    return vectors


def _as_float32(vector: np.ndarray) -> dict:
    return {"embedding": vector}


_VARIANT = Annotation(embed, _as_float32)


def _rank_clusters(names: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return each variant's cluster, 0 for the one with most prompts, -1 for a lone variant."""
    sizes = np.bincount(names, minlength=len(names))
    prompts = np.bincount(names, weights=counts, minlength=len(names))
    together = np.flatnonzero(sizes > 1)
    ranks = np.full(len(names), -1)
    ranks[together[np.argsort(-prompts[together], kind="stable")]] = np.arange(len(together))
    return ranks[names]


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        settings = settings_of(snakemake.params)
        clustering = {
            name: settings.pop(name) for name in ("batch_size", "epsilon", "min_cluster_size")
        }
        counts = merge_subjects(
            [Path(path) for path in snakemake.input.annotations],
            Path(snakemake.output.subjects),
            Annotator(annotation="subjects", part="all", script=SCRIPT, **settings),
            **clustering,
        )
        log.finish(counts)
