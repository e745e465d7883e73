"""Search every query of one generator among all references."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import SOURCE_IMAGE
from scripts.common.schemas.trace import MATCHES, QUERY
from scripts.common.tables import write_table
from scripts.trace.feature_tables import read_all_vectors, read_pictures, read_vectors
from scripts.trace.search import find_top_matches

_BYTES_PER_NUMBER = 4


def match_queries(
    queries: Path,
    distractors: Path,
    references: Path,
    matches: Path,
    *,
    top_k: int,
    block_mb: int,
    threads: int = 1,
) -> Counts:
    """Find the references that are nearest to each query by cosine (Section 5.4), exactly.

    A query whose source image is not among the described references is not searched for: its true
    pair cannot be found by any tracer. Distractors are searched for in vain, as the paper does.

    Args:
        queries: features of the generator's query frames.
        distractors: features of the distractor queries.
        references: features of source images and references.
        matches: the table to write (``MATCHES``), sorted by query and rank.
        top_k: references kept for each query. With one true pair per query, a smaller number only
            drops wrong references that stand behind ``top_k`` better ones of the same query.
        block_mb: references held in memory at once, in MB of float32.
        threads: of the search.

    Returns:
        Counts of queries.
    """
    asked = pa.concat_tables([read_pictures(queries), read_pictures(distractors)])
    known = _described(read_pictures(references))
    sources = known.filter(pc.equal(known["role"], SOURCE_IMAGE))["uuid"]
    described = pc.equal(asked["status"], OK)
    sought = pc.or_(pc.not_equal(asked["role"], QUERY), pc.is_in(asked["uuid"], sources))
    vectors = [read_all_vectors(path) for path in (queries, distractors)]
    vectors = np.concatenate([block for block in vectors if len(block)] or vectors[:1])
    vectors = vectors[sought.filter(described).to_numpy(zero_copy_only=False)]
    searched = asked.filter(pc.and_(described, sought))
    dimension = max(vectors.shape[1], 1)
    rows = max(1, block_mb * 2**20 // (_BYTES_PER_NUMBER * dimension))
    scores, numbers = find_top_matches(
        vectors, read_vectors(references, rows), top_k=top_k, threads=threads
    )
    rejected = _rejected_rows(asked.filter(pc.invert(described)), None)
    unsought = asked.filter(pc.and_(described, pc.invert(sought)))
    table = pa.concat_tables(
        [
            _match_rows(searched, known, scores, numbers),
            rejected,
            _rejected_rows(unsought, "no_source_image"),
        ]
    )
    write_table(table, matches, MATCHES, sort_by=["query", "rank"])
    counts = Counts(kept=searched.num_rows, declared=asked.num_rows)
    for reason in rejected["reason"].to_pylist():
        counts.reject(reason)
    counts.reject("no_source_image", unsought.num_rows)
    return counts


def _described(pictures: pa.Table) -> pa.Table:
    return pictures.filter(pc.equal(pictures["status"], OK))


def _match_rows(
    searched: pa.Table, known: pa.Table, scores: np.ndarray, numbers: np.ndarray
) -> pa.Table:
    kept = numbers.shape[1]
    asked = searched.take(pa.array(np.repeat(np.arange(searched.num_rows), kept)))
    found = known.take(pa.array(numbers.ravel()))
    is_match = pc.and_(
        pc.equal(asked["uuid"], found["uuid"]),
        pc.and_(pc.equal(asked["role"], QUERY), pc.equal(found["role"], SOURCE_IMAGE)),
    )
    return _table(
        query=asked["uuid"],
        role=asked["role"],
        status=asked["status"],
        reason=asked["reason"],
        rank=np.tile(np.arange(1, kept + 1), searched.num_rows),
        reference=found["uuid"],
        score=scores.ravel(),
        is_match=is_match,
    )


def _rejected_rows(asked: pa.Table, reason: str | None) -> pa.Table:
    """Return one row for each query that was not searched for; None keeps its own reason."""
    nothing = pa.nulls(asked.num_rows)
    return _table(
        query=asked["uuid"],
        role=asked["role"],
        status=[REJECTED] * asked.num_rows,
        reason=asked["reason"] if reason is None else [reason] * asked.num_rows,
        rank=nothing,
        reference=nothing,
        score=nothing,
        is_match=nothing,
    )


def _table(**columns: object) -> pa.Table:
    fields = {}
    for name, values in columns.items():
        if not isinstance(values, pa.Array | pa.ChunkedArray):
            values = pa.array(values)
        fields[name] = values.cast(MATCHES.field(name).type)
    return pa.table(fields, schema=MATCHES)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = match_queries(
            queries=Path(snakemake.input.queries),
            distractors=Path(snakemake.input.distractors),
            references=Path(snakemake.input.references),
            matches=Path(snakemake.output.matches),
            top_k=snakemake.params.top_k,
            block_mb=snakemake.params.block_mb,
            threads=snakemake.threads,
        )
        log.finish(counts)
