"""Merge the variants of each subject over all shards (Supplement 10)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.annotate.shard_annotation import Annotator, AnnotatorAtWork
from scripts.annotate.subject_clusters import find_names
from scripts.common.code import settings_of
from scripts.common.errors import Rejected
from scripts.common.ledger import RowLedger
from scripts.common.roles import TextEmbedder
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import SUBJECT, SUBJECTS, variant_embeddings
from scripts.common.tables import embedding_array, read_table, write_table

_SLICE = 4096
"""Vectors that are read from the ledger at a time."""


def merge_subjects(
    annotations: Sequence[Path],
    subjects: Path,
    annotator: Annotator,
    *,
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
        min_cluster_size: fewest variants that make a subject together.
        epsilon: greatest distance of a variant's vector from its subject's.

    Returns:
        Counts of variants; none is rejected: what is near no other is a subject of its own.
    """
    tagged = read_table(annotations, SUBJECT, columns=["subject"])["subject"]
    counter = {found["values"]: found["counts"] for found in pc.value_counts(tagged).to_pylist()}
    variants = sorted(filter(None, counter))
    counts = np.array([counter[variant] for variant in variants], np.int64)
    vectors = _embed(variants, annotator)
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


def _embed(variants: Sequence[str], annotator: Annotator) -> np.ndarray:
    """Return float32 of shape (variants, dimension), recalled from the ledger or made."""
    if not variants:
        return np.empty((0, 1), np.float32)
    work = AnnotatorAtWork(annotator, "subjects", "all")
    dimension = work.backend.dimension
    with RowLedger(work.folder, variant_embeddings(dimension), key="variant") as ledger:

        def rows_of(left: Sequence[str]) -> Iterator[dict]:
            def embed(embedder: TextEmbedder, texts: Sequence[str]) -> Sequence[np.ndarray]:
                return embedder.embed(texts)

            texts = {variant: variant for variant in left}
            for variant, vector in work.answer(texts, embed, ledger.flush):
                missing = isinstance(vector, Rejected)
                yield {"variant": variant, "embedding": None if missing else vector}

        # Of like length, so that a batch is not padded to its one long string.
        order = sorted(range(len(variants)), key=lambda number: len(variants[number]))
        rows = ledger.stream(
            [variants[number] for number in order],
            rows_of,
            what="subjects",
            failed=lambda row: row["embedding"] is None,
        )
        # A variant without a vector is near no other: it stays a subject of its own.
        vectors = np.zeros((len(variants), dimension), np.float32)
        there = [number for number in order if variants[number] not in rows.faults]
        for start in range(0, len(there), _SLICE):
            numbers = there[start : start + _SLICE]
            table = ledger.read([variants[number] for number in numbers])
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
    with rule_log(snakemake.log[0]) as log:
        settings = settings_of(snakemake.params)
        counts = merge_subjects(
            [Path(path) for path in snakemake.input.annotations],
            Path(snakemake.output.subjects),
            min_cluster_size=settings.pop("min_cluster_size"),
            epsilon=settings.pop("epsilon"),
            annotator=Annotator(script="scripts/annotate/merge_subjects.py", **settings),
        )
        log.finish(counts)
