"""Measure how well each tracer finds the source images of each generator's frames."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    ALONG_SET,
    DISTRACTORS,
    MATCHES,
    METRICS,
    MUAP,
    MUAP_AT,
    MUAP_HIGH,
    MUAP_LOW,
    MUAP_RERANKED,
    MUAP_TOP_K,
    MUAP_VIDEO,
    QUERY,
    RECALL_AT_1,
    RECALL_AT_P90,
    SAME_DOMAIN,
    TRACER_FAULTS,
    VIDEO_SET,
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

QUERIES = {
    name: name for name in (MUAP, MUAP_LOW, MUAP_HIGH, MUAP_TOP_K, RECALL_AT_1, RECALL_AT_P90)
}
"""What is measured of the queries."""


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
    reranked: Sequence[Path] = (),
) -> Counts:
    """Measure tracing (Section 5.4, Supplement 15): muAP with its interval, and two recalls.

    There is one true pair for each of a generator's queries, the same for every tracer: a picture
    that a tracer cannot describe is a miss. muAP and recall at 90 % precision see all queries at
    once, distractors included: the ``candidates`` best pairs, as the challenge and the author's
    published matching take them, and beside it muAP of the ``top_k`` best of each query. Where
    frames along the videos were described, muAP of each place in a video, and of whole videos.

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
        reranked: ``matches`` as the re-ranker scores them, where there is one; a model of which it
            scored none has no such number.

    Returns:
        Counts of queries over all tracers and generators, without frames along videos.

    Raises:
        UserError: a model saw what it is tested on (``refuse_seen``), or a pair is listed twice.
    """
    counts, measured = Counts(), []
    found_by = {path.stem: path for path in matches}
    anew_by = {path.stem: path for path in reranked}
    trained = {path.stem: path for path in checkpoints}
    searched = {model: paths for (model, _), paths in by_model_and_set(references).items()}
    count_references = cache(lambda model: _count_references(searched[model]))
    read_matches = lru_cache(maxsize=1)(lambda model: _read_matches(found_by[model]))
    read_anew = lru_cache(maxsize=1)(lambda model: _read_matches(anew_by[model]))
    for tracer, generator, model in rows:
        table = read_matches(model)
        if model in trained:
            tested = table.filter(pc.equal(table["set"], generator))["query"].unique().to_pylist()
            is_same = tracer.endswith(SAME_DOMAIN)
            refuse_seen(trained[model], tracer, generator, tested, same_domain=is_same)
        known, unknown = count_references(model)
        row = {"tracer": tracer, "generator": generator, "references": known}
        for names, mine in _parts(table, generator):
            # A query's first row; its best reference may have been removed on request.
            _, first = np.unique(mine["query"].to_numpy(), return_index=True)
            asked = mine.take(np.sort(first))
            reasons = Counter(asked["reason"].to_pylist())
            kept = reasons.pop(None, 0)
            is_there = pc.or_(
                pc.equal(asked["status"], OK), pc.is_in(asked["reason"], pa.array(TRACER_FAULTS))
            )
            has_match = pc.and_(is_there, pc.equal(asked["role"], QUERY)).to_numpy()
            found = mine.filter(pc.equal(mine["status"], OK))
            values = _measure(
                found,
                pc.index_in(found["query"], asked["query"].combine_chunks()).to_numpy(),
                has_match,
                top_k=top_k,
                candidates=candidates,
                resamples=resamples if names is QUERIES else 0,
                seed=derived_seed(seed, "bootstrap", generator),
            )
            stands_on = {
                "queries": kept,
                "positives": int(has_match.sum()),
                "rejected": reasons.total() + unknown,
            }
            measured += [
                row | stands_on | {"metric": name, "value": values[metric]}
                for metric, name in names.items()
            ]
            if names is QUERIES:
                counts += Counts(kept=kept, rejected=reasons)
            if names is QUERIES and reranked:
                scored = model in anew_by and len(anew := read_anew(model))
                pairs = next(_parts(anew, generator))[1] if scored else None
                value = _of_all_pairs(pairs, stands_on["positives"]) if scored else None
                measured.append(row | stands_on | {"metric": MUAP_RERANKED, "value": value})
    write_table(measured, metrics, METRICS)
    return counts


def _of_all_pairs(matches: pa.Table, positives: int) -> float | None:
    """Return muAP of every pair that is listed; None where it is none."""
    found = matches.filter(pc.equal(matches["status"], OK))
    is_match = found["is_match"].to_numpy(zero_copy_only=False)
    value = micro_average_precision(found["score"].to_numpy(), is_match, positives=positives)
    return None if np.isnan(value) else value


def _parts(table: pa.Table, generator: str) -> Iterator[tuple[Mapping[str, str], pa.Table]]:
    """Yield what is measured of some matches, and how it is called; distractors are in each.

    The queries come first; then the first frames along all videos, the second ones and so on, and
    the videos. Every video has the same number of them, so that one follows from a frame's place
    among all.
    """
    others = pc.equal(table["set"], DISTRACTORS)

    def part(name: str, queries: pa.Array | None = None) -> pa.Table:
        own = pc.equal(table["set"], name)
        if queries is not None:
            own = pc.and_(own, pc.is_in(table["query"], queries))
        return table.filter(pc.or_(own, others))

    yield QUERIES, part(generator)
    along, videos = (name.format(generator) for name in (ALONG_SET, VIDEO_SET))
    frames = np.sort(table.filter(pc.equal(table["set"], along))["query"].unique().to_numpy(False))
    if not len(frames):
        return
    each = len(frames) // len(table.filter(pc.equal(table["set"], videos))["query"].unique())
    for place in range(each):
        yield {MUAP: f"{MUAP_AT}{place + 1}"}, part(along, pa.array(frames[place::each]))
    yield {MUAP: MUAP_VIDEO}, part(videos)


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


def _read_matches(path: Path) -> pa.Table:
    """Return a model's matches; a pair that is listed twice is an error."""
    found = read_table(path, MATCHES)
    pairs = found.group_by(["set", "query", "reference"]).aggregate([([], "count_all")])
    twice = pairs.filter(pc.greater(pairs["count_all"], 1))
    if len(twice):
        query, reference = twice["query"][0], twice["reference"][0]
        raise UserError(
            f"{path} lists {len(twice):,} pairs more than once, such as {query} and {reference}; "
            "delete it and the features that it stands on, and run again"
        )
    return found


def _count_references(features: Sequence[Path]) -> tuple[int, int]:
    """Return how many references were described, and how many were not."""
    statuses = Counter(read_pictures(features)["status"].to_pylist())
    known = statuses.pop(OK, 0)
    return known, statuses.total()


if __name__ == "__main__":
    run_job(measure_tracing, snakemake)
