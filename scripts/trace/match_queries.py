"""Search every query that a model describes among all references."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.code import code_checksum, settings_of
from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint, hash_files
from scripts.common.ledger import LEDGER, JobLedger
from scripts.common.progress import progress
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import SOURCE_IMAGE
from scripts.common.schemas.trace import MATCHES, QUERY
from scripts.common.tables import read_table, write_table
from scripts.trace.feature_tables import (
    dimension_of,
    read_pictures,
    read_vectors,
)
from scripts.trace.score_normalisation import OFF, Normalisation, similarity_to_background
from scripts.trace.search import Products, find_top_matches

_BYTES_PER_NUMBER = 4


def match_queries(
    queries: Mapping[str, Sequence[Path]],
    references: Sequence[Path],
    matches: Path,
    *,
    top_k: int,
    block_mb: int,
    background: Sequence[Path] = (),
    normalisation: Mapping[str, Any] = OFF,
    gpu: bool = False,
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Find the references that are nearest to each query by cosine (Section 5.4), exactly.

    All sets of queries are searched in one pass over the references, and the distractors once,
    not once for each generator. A set that was searched before in the same features is recalled.
    A query whose source image is not among the described references is not searched for: its true
    pair cannot be found by any tracer. Distractors are searched for in vain, as the paper does.

    Memory: ``block_mb`` each for queries and for references (twice, while the next one is read),
    and as much for products on a GPU. More queries than that are searched for in several passes.

    Args:
        queries: set (a generator, or distractors) -> shards of the features of its queries.
        references: shards of the features of source images and references.
        matches: the table to write (``MATCHES``), sorted by set, query and rank.
        top_k: references kept for each query. With one true pair per query, a smaller number only
            drops wrong references that stand behind ``top_k`` better ones of the same query.
        block_mb: queries, and references, searched at once, in MB of float32.
        background: shards of the features of the background, for
        normalisation: of the scores (``Normalisation``); off by default.
        gpu: whether to search on a GPU, if there is one.
        threads: of the search on the CPU.
        ledger_root: where finished sets outlive the job.

    Returns:
        Counts of queries.
    """
    settings = Normalisation(**normalisation)
    common = fingerprint(
        references=hash_files(references),
        background=hash_files(background),
        normalisation=dict(normalisation),
        top_k=top_k,
        code=code_checksum("scripts/trace/match_queries.py", plumbing=False),
    )
    ledgers = {
        name: JobLedger(
            ledger_root / "trace" / fingerprint(common=common, queries=hash_files(shards)) / name
        )
        for name, shards in queries.items()
    }
    tables = {}
    with TemporaryDirectory(dir=_folder_of(matches), prefix="tmp-") as folder:
        for name, ledger in ledgers.items():
            part = Path(folder) / f"{name}.parquet"
            if ledger.recall({part.name: part}):
                tables[name] = read_table(part, MATCHES)
        left = {name: shards for name, shards in queries.items() if name not in tables}
        for name, table in _search_sets(
            left,
            references,
            background,
            settings=settings,
            top_k=top_k,
            block_mb=block_mb,
            products=_pick_products(gpu, block_mb),
            threads=threads,
        ).items():
            part = Path(folder) / f"{name}.parquet"
            write_table(table, part, MATCHES, sort_by=["query", "rank"])
            ledgers[name].remember({part.name: part})
            tables[name] = table
    table = pa.concat_tables([tables[name] for name in queries])
    write_table(table, matches, MATCHES, sort_by=["set", "query", "rank"])
    asked = table.filter(pc.equal(pc.fill_null(table["rank"], 1), 1))
    counts = Counts(declared=sum(read_pictures(shards).num_rows for shards in queries.values()))
    for found in pc.value_counts(asked["reason"]).to_pylist():
        if found["values"] is None:
            counts.keep(found["counts"])
        else:
            counts.reject(found["values"], found["counts"])
    return counts


def _search_sets(
    queries: Mapping[str, Sequence[Path]],
    references: Sequence[Path],
    background: Sequence[Path],
    *,
    settings: Normalisation,
    top_k: int,
    block_mb: int,
    products: Products | None,
    threads: int,
) -> dict[str, pa.Table]:
    """Return the ``MATCHES`` of each set."""
    if not queries:
        return {}
    known = _described(read_pictures(references))
    sources = known.filter(pc.equal(known["role"], SOURCE_IMAGE))["uuid"]
    dimension = dimension_of(
        [*(shard for shards in queries.values() for shard in shards), *references, *background]
    )
    rows = max(1, block_mb * 2**20 // (_BYTES_PER_NUMBER * dimension))
    asked = {name: read_pictures(shards) for name, shards in queries.items()}
    sought = {name: _sought(table, sources) for name, table in asked.items()}
    kept = {
        name: sought[name].filter(pc.equal(table["status"], OK)).to_numpy()
        for name, table in asked.items()
    }
    if not known.num_rows and any(mask.any() for mask in kept.values()):
        raise UserError(
            f"no reference of {references[0].parent} was described, so there is nothing to search "
            "in; see the logs of extract_features"
        )
    pieces = [(np.empty((0, 0), np.float32), np.empty((0, 0), np.int64))]
    for some in _query_blocks(queries, kept, rows):
        blocks = progress(
            read_vectors(references, rows),
            f"search {references[0].parent.parent.name}",
            total=-(-known.num_rows // rows),
        )
        scores, numbers = find_top_matches(
            some, blocks, top_k=top_k, threads=threads, products=products
        )
        if settings.weight:
            shared = similarity_to_background(
                some,
                read_vectors(background, rows),
                neighbours=settings.neighbours,
                threads=threads,
                products=products,
            )
            scores = scores - settings.weight * shared[:, None]
        pieces.append((scores, numbers))
    pieces = pieces[1:] or pieces
    scores, numbers = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    tables, start = {}, 0
    for name, table in asked.items():
        searched = table.filter(pc.and_(pc.equal(table["status"], OK), sought[name]))
        mine = slice(start, start + searched.num_rows)
        tables[name] = _set_rows(name, table, searched, known, scores[mine], numbers[mine])
        start += searched.num_rows
    return tables


def _query_blocks(
    queries: Mapping[str, Sequence[Path]], kept: Mapping[str, np.ndarray], rows: int
) -> Iterator[np.ndarray]:
    """Yield the vectors of all sets' kept queries, one set after the other, in full blocks."""
    held: list[np.ndarray] = []
    for name, shards in queries.items():
        start = 0
        for vectors in read_vectors(shards, min(rows, 16_384)):
            held.append(vectors[kept[name][start : start + len(vectors)]])
            start += len(vectors)
            if sum(map(len, held)) >= rows:
                whole = np.concatenate(held)
                yield whole[:rows]
                held = [whole[rows:]]
    if sum(map(len, held)):
        yield np.concatenate(held)


def _pick_products(gpu: bool, block_mb: int) -> Products | None:
    if gpu:
        import torch

        if torch.cuda.is_available():
            from scripts.trace.torch_products import TorchProducts

            return TorchProducts("cuda", memory_mb=block_mb)
    return None


def _folder_of(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent


def _sought(asked: pa.Table, sources: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return which queries have no true pair, or have it among the described references."""
    return pc.or_(pc.not_equal(asked["role"], QUERY), pc.is_in(asked["uuid"], sources))


def _described(pictures: pa.Table) -> pa.Table:
    return pictures.filter(pc.equal(pictures["status"], OK))


def _set_rows(
    name: str,
    asked: pa.Table,
    searched: pa.Table,
    known: pa.Table,
    scores: np.ndarray,
    numbers: np.ndarray,
) -> pa.Table:
    """Return the rows of one set: matches of what was searched for, reasons of what was not."""
    unsought = asked.filter(
        pc.and_(pc.equal(asked["status"], OK), pc.invert(pc.is_in(asked["uuid"], searched["uuid"])))
    )
    return pa.concat_tables(
        [
            _match_rows(name, searched, known, scores, numbers),
            _rejected_rows(name, asked.filter(pc.not_equal(asked["status"], OK)), None),
            _rejected_rows(name, unsought, "no_source_image"),
        ]
    )


def _match_rows(
    name: str, searched: pa.Table, known: pa.Table, scores: np.ndarray, numbers: np.ndarray
) -> pa.Table:
    kept = numbers.shape[1]
    asked = searched.take(pa.array(np.repeat(np.arange(searched.num_rows), kept)))
    found = known.take(pa.array(numbers.ravel()))
    is_match = pc.and_(
        pc.equal(asked["uuid"], found["uuid"]),
        pc.and_(pc.equal(asked["role"], QUERY), pc.equal(found["role"], SOURCE_IMAGE)),
    )
    return _table(
        set=[name] * asked.num_rows,
        query=asked["uuid"],
        role=asked["role"],
        status=asked["status"],
        reason=asked["reason"],
        rank=np.tile(np.arange(1, kept + 1), searched.num_rows),
        reference=found["uuid"],
        score=scores.ravel(),
        is_match=is_match,
    )


def _rejected_rows(name: str, asked: pa.Table, reason: str | None) -> pa.Table:
    """Return one row for each query that was not searched for; None keeps its own reason."""
    nothing = pa.nulls(asked.num_rows)
    return _table(
        set=[name] * asked.num_rows,
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


def _by_set(paths: Sequence[str]) -> dict[str, list[Path]]:
    """Return set -> its shards, from paths ending in ``<set>/<shard>.parquet``."""
    sets: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        sets.setdefault(path.parent.name, []).append(path)
    return sets


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = match_queries(
            queries=_by_set(snakemake.input.queries),
            references=[Path(path) for path in snakemake.input.references],
            matches=Path(snakemake.output.matches),
            background=[Path(path) for path in snakemake.input.background],
            **settings_of(snakemake.params),
            threads=snakemake.threads,
        )
        log.finish(counts)
