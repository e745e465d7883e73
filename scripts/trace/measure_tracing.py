"""Measure how well each tracer finds the source images of each generator's frames."""

from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.identity import derived_seed
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK
from scripts.common.schemas.trace import (
    DISTRACTORS,
    MATCHES,
    METRICS,
    MUAP,
    MUAP_HIGH,
    MUAP_LOW,
    QUERY,
    RECALL_AT_1,
    RECALL_AT_P90,
    SAME_DOMAIN,
)
from scripts.common.seen import refuse_seen
from scripts.common.tables import read_table, write_table
from scripts.trace.feature_tables import by_model_and_set, read_pictures
from scripts.trace.metrics import (
    bootstrap_interval,
    micro_average_precision,
    recall_at_1,
    recall_at_precision,
)


def measure_tracing(
    matches: Sequence[Path],
    references: Sequence[Path],
    checkpoints: Sequence[Path],
    metrics: Path,
    *,
    rows: Sequence[Sequence[str]],
    resamples: int,
    seed: int,
) -> Counts:
    """Measure tracing (Section 5.4, Supplement 15): muAP with its interval, and two recalls.

    There is one true pair for each of a generator's queries that were searched for. muAP and
    recall at 90 % precision see all queries at once, distractors included.

    Args:
        matches: ``MATCHES`` of all models, ``<model>.parquet``.
        references: shards of their features of the references, ``<model>/<set>/<shard>.parquet``.
        checkpoints: weights of the trained models, ``<model>.safetensors``, with what they saw.
        metrics: the table to write (``METRICS``).
        rows: (tracer, generator, model that described the generator's queries), in order; a tracer
            across domains has a model for each generator.
        resamples: draws of the queries for the 95 % interval.
        seed: of the draws, which are the same for every tracer.

    Returns:
        Counts of queries over all tracers and generators.

    Raises:
        UserError: a model saw what it is tested on (``refuse_seen``).
    """
    counts, measured = Counts(), []
    found_by = {path.stem: path for path in matches}
    trained = {path.stem: path for path in checkpoints}
    searched = {model: paths for (model, _), paths in by_model_and_set(references).items()}
    count_references = cache(lambda model: _count_references(searched[model]))
    read_matches = lru_cache(maxsize=1)(lambda model: read_table(found_by[model], MATCHES))
    for tracer, generator, model in rows:
        table = read_matches(model)
        table = table.filter(pc.is_in(table["set"], pa.array([generator, DISTRACTORS])))
        if model in trained:
            tested = table.filter(pc.equal(table["set"], generator))["query"].unique().to_pylist()
            is_same = tracer == SAME_DOMAIN
            refuse_seen(trained[model], tracer, generator, tested, same_domain=is_same)
        found = table.filter(pc.equal(table["status"], OK))
        asked = table.filter(pc.equal(pc.fill_null(table["rank"], 1), 1))
        reasons = Counter(asked["reason"].to_pylist())
        kept = reasons.pop(None, 0)
        known, unknown = count_references(model)
        stands_on = {
            "queries": kept,
            "references": known,
            "positives": asked.filter(
                pc.and_(pc.equal(asked["status"], OK), pc.equal(asked["role"], QUERY))
            ).num_rows,
            "rejected": reasons.total() + unknown,
        }
        values = _measure(found, resamples, derived_seed(seed, "bootstrap", generator))
        measured += [
            {"tracer": tracer, "generator": generator, "metric": name, "value": value} | stands_on
            for name, value in values.items()
        ]
        counts += Counts(kept=kept, rejected=reasons)
    write_table(measured, metrics, METRICS)
    return counts


def _measure(found: pa.Table, resamples: int, seed: int) -> dict[str, float | None]:
    scores = found["score"].to_numpy()
    is_match = found["is_match"].to_numpy(zero_copy_only=False)
    encoded = found["query"].combine_chunks().dictionary_encode()
    queries = encoded.indices.to_numpy()
    has_match = np.zeros(len(encoded.dictionary), bool)
    has_match[queries[pc.equal(found["role"], QUERY).to_numpy(zero_copy_only=False)]] = True
    positives = int(has_match.sum())
    low, high = bootstrap_interval(
        queries, scores, is_match, has_match=has_match, resamples=resamples, seed=seed
    )
    values = {
        MUAP: micro_average_precision(scores, is_match, positives=positives),
        MUAP_LOW: low,
        MUAP_HIGH: high,
        RECALL_AT_1: recall_at_1(queries, scores, is_match, positives=positives),
        RECALL_AT_P90: recall_at_precision(scores, is_match, positives=positives, precision=0.9),
    }
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def _count_references(features: Sequence[Path]) -> tuple[int, int]:
    """Return how many references were described, and how many were not."""
    statuses = Counter(read_pictures(features)["status"].to_pylist())
    known = statuses.pop(OK, 0)
    return known, statuses.total()


if __name__ == "__main__":
    run_job(measure_tracing, snakemake)
