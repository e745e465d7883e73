"""Merge the variants of each subject over all shards (Supplement 10)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from scripts.annotate.shard_annotation import Rejection
from scripts.annotate.subject_clusters import find_names
from scripts.common.backends import load_backend
from scripts.common.fingerprints import fingerprint, hash_code
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import SUBJECT, SUBJECTS, variant_embeddings
from scripts.common.tables import embedding_array, read_table, write_table

_SLICE = 4096
"""Vectors that are read from the ledger at a time."""


def merge_subjects(
    annotations: Sequence[Path],
    subjects: Path,
    *,
    entry: Mapping[str, Any],
    min_cluster_size: int,
    epsilon: float,
    batch_size: int,
    device: str = "cpu",
    ledger_root: Path = LEDGER,
    code: Sequence[Path | str] = (),
) -> Counts:
    """Give each variant of a subject the most frequent variant near it as its name.

    'For the subject Dragon, GPT-4o may output Dragon, Dragons, Dragon, creature or Dragon
    creature' (Supplement 10). Unique variants are embedded and clustered, not all prompts.

    Args:
        annotations: tables of ``SUBJECT``.
        subjects: table of ``SUBJECTS``, sorted by variant.
        entry: entry of config/annotators.yaml with its ``name``; a TextEmbedder.
        min_cluster_size: fewest variants that make a subject together.
        epsilon: greatest distance of a variant's vector from its subject's.
        batch_size: variants per call of the embedder.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: where finished embeddings are kept.
        code: modules that decide what is made.

    Returns:
        Counts of variants; none is rejected: what is near no other is a subject of its own.
    """
    tagged = read_table(annotations, SUBJECT, columns=["subject"])["subject"]
    counter = {found["values"]: found["counts"] for found in pc.value_counts(tagged).to_pylist()}
    variants = sorted(filter(None, counter))
    counts = np.array([counter[variant] for variant in variants], np.int64)
    vectors = _embed(variants, entry, batch_size, device, ledger_root, code)
    names = find_names(vectors, counts, min_cluster_size=min_cluster_size, epsilon=epsilon)
    clusters = _rank_clusters(names, counts)
    rows = [
        {"variant": variant, "subject": variants[name], "count": count, "cluster": cluster}
        for variant, name, count, cluster in zip(
            variants, names.tolist(), counts.tolist(), clusters.tolist(), strict=True
        )
    ]
    write_table(rows, subjects, SUBJECTS, sort_by=["variant"])
    return Counts(kept=len(rows), declared=len(variants))


def _embed(
    variants: Sequence[str],
    entry: Mapping[str, Any],
    batch_size: int,
    device: str,
    ledger_root: Path,
    code: Sequence[Path | str],
) -> np.ndarray:
    if not variants:
        return np.empty((0, 1), np.float32)

    @cache
    def backend() -> Any:
        return load_backend(entry, device=device)

    def work(left: Sequence[str]) -> Iterator[dict]:
        for start in range(0, len(left), batch_size):
            batch = left[start : start + batch_size]
            for variant, vector in zip(batch, backend().embed(batch), strict=True):
                missing = isinstance(vector, Rejection)
                yield {"variant": variant, "embedding": None if missing else vector}

    dimension = backend().dimension
    key = fingerprint(entry=entry, code=hash_code(code, "annotate"))
    folder = ledger_root / "annotate" / key / "subjects"
    with RowLedger(folder, variant_embeddings(dimension), key="variant") as ledger:
        # Of like length, so that a batch is not padded to its one long string.
        order = sorted(range(len(variants)), key=lambda number: len(variants[number]))
        rows = ledger.stream(
            [variants[number] for number in order],
            work,
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
        counts = merge_subjects(
            annotations=[Path(path) for path in snakemake.input.annotations],
            subjects=Path(snakemake.output.subjects),
            entry=snakemake.params.entry,
            min_cluster_size=snakemake.params.min_cluster_size,
            epsilon=snakemake.params.epsilon,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            code=snakemake.input.code,
        )
        log.finish(counts)
