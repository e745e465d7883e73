"""Measure how well each tracer finds the source images of each generator's frames."""

from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.errors import UserError
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
    MUAP_TOP_K,
    QUERY,
    RECALL_AT_1,
    RECALL_AT_P90,
    SAME_DOMAIN,
    TRACER_FAULTS,
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
    top_k: int,
    candidates: int,
    resamples: int,
    seed: int,
) -> Counts:
    """Measure tracing (Section 5.4, Supplement 15): muAP with its interval, and two recalls.

    There is one true pair for each of a generator's queries, the same for every tracer: a picture
    that a tracer cannot describe is a miss. muAP and recall at 90 % precision see all queries at
    once, distractors included: the ``candidates`` best pairs, as the challenge and the author's
    published matching take them, and beside it muAP of the ``top_k`` best of each query.

    Args:
        matches: ``MATCHES`` of all models, ``<model>.parquet``.
        references: shards of their features of the references, ``<model>/<set>/<shard>.parquet``.
        checkpoints: weights of the trained models, ``<model>.safetensors``, with what they saw.
        metrics: the table to write (``METRICS``).
        rows: (tracer, generator, model that described the generator's queries), in order; a tracer
            across domains has a model for each generator.
        top_k: references of each query, for ``MUAP_TOP_K`` and the recall at 1.
        candidates: pairs in the list of all queries; 0 takes those of ``top_k``.
        resamples: draws of the queries for the 95 % interval.
        seed: of the draws, which are the same for every tracer.

    Returns:
        Counts of queries over all tracers and generators.

    Raises:
        UserError: a model saw what it is tested on (``refuse_seen``), or a pair is listed twice.
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
        asked = table.filter(pc.equal(pc.fill_null(table["rank"], 1), 1))
        reasons = Counter(asked["reason"].to_pylist())
        kept = reasons.pop(None, 0)
        known, unknown = count_references(model)
        is_there = pc.or_(
            pc.equal(asked["status"], OK),
            pc.is_in(asked["reason"], pa.array(TRACER_FAULTS)),
        )
        has_match = pc.and_(is_there, pc.equal(asked["role"], QUERY)).to_numpy()
        found = table.filter(pc.equal(table["status"], OK))
        _refuse_doubles(found, found_by[model])
        drawn = derived_seed(seed, "bootstrap", generator)
        values = _measure(
            found,
            pc.index_in(found["query"], asked["query"].combine_chunks()).to_numpy(),
            has_match,
            top_k=top_k,
            candidates=candidates,
            resamples=resamples,
            seed=drawn,
        )
        stands_on = {
            "queries": kept,
            "references": known,
            "positives": int(has_match.sum()),
            "rejected": reasons.total() + unknown,
        }
        measured += [
            {"tracer": tracer, "generator": generator, "metric": name, "value": value} | stands_on
            for name, value in values.items()
        ]
        counts += Counts(kept=kept, rejected=reasons)
    write_table(measured, metrics, METRICS)
    return counts


def _measure(
    found: pa.Table,
    queries: np.ndarray,
    has_match: np.ndarray,
    *,
    top_k: int,
    candidates: int,
    resamples: int,
    seed: int,
) -> dict[str, float | None]:
    scores, ranks = found["score"].to_numpy(), found["rank"].to_numpy()
    is_match = found["is_match"].to_numpy(zero_copy_only=False)
    positives = int(has_match.sum())
    # Of equal pairs at the end of the list the wrong ones are in it, as everywhere in muAP.
    listed = np.lexsort((is_match, -scores))[: candidates or None]
    top = np.flatnonzero(ranks <= top_k)
    listed = listed if candidates else top
    low, high = bootstrap_interval(
        queries[listed],
        scores[listed],
        is_match[listed],
        has_match=has_match,
        resamples=resamples,
        seed=seed,
    )
    best = scores[listed], is_match[listed]
    values = {
        MUAP: micro_average_precision(*best, positives=positives),
        MUAP_LOW: low,
        MUAP_HIGH: high,
        MUAP_TOP_K: micro_average_precision(scores[top], is_match[top], positives=positives),
        RECALL_AT_1: recall_at_1(queries[top], scores[top], is_match[top], positives=positives),
        RECALL_AT_P90: recall_at_precision(*best, positives=positives, precision=0.9),
    }
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def _refuse_doubles(found: pa.Table, path: Path) -> None:
    pairs = found.group_by(["set", "query", "reference"]).aggregate([([], "count_all")])
    twice = pairs.filter(pc.greater(pairs["count_all"], 1))
    if len(twice):
        query, reference = twice["query"][0], twice["reference"][0]
        raise UserError(
            f"{path} lists {len(twice):,} pairs more than once, such as {query} and {reference}; "
            "delete it and the features that it stands on, and run again"
        )


def _count_references(features: Sequence[Path]) -> tuple[int, int]:
    """Return how many references were described, and how many were not."""
    statuses = Counter(read_pictures(features)["status"].to_pylist())
    known = statuses.pop(OK, 0)
    return known, statuses.total()


if __name__ == "__main__":
    run_job(measure_tracing, snakemake)
