"""Find the prompts that mean most nearly the same as each prompt (Section 5.5)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import SIMILAR_PROMPTS
from scripts.common.tables import TableWriter, embedding_array, read_table
from scripts.trace.match_queries import pick_products
from scripts.trace.search import find_top_matches


def find_similar_prompts(
    dataset: Path,
    vectors: Sequence[Path],
    similar: Path,
    *,
    neighbours: int,
    gpus: int = 0,
    threads: int = 1,
    block_mb: int = 1024,
) -> Counts:
    """Write each prompt's nearest others by the cosine of their text embeddings, an exact search.

    In memory are the prompts of two of the files and their products: the files are read once for
    each of them.

    Args:
        dataset: table of ``DATASET``.
        vectors: tables of ``embeddings`` of its text prompts.
        similar: table of ``SIMILAR_PROMPTS``.
        neighbours: how many are named of each, if there are so many.
        gpus: whether products are taken on one.
        threads: on the CPU.
        block_mb: of products held at once on a GPU.

    Returns:
        Counts of prompts.
    """
    wanted = read_table(dataset, columns=["UUID"])["UUID"].combine_chunks()
    ids = pa.chunked_array([_read(path, wanted)["uuid"] for path in vectors], pa.string())
    products, first = pick_products(bool(gpus), block_mb, threads), 0
    with TableWriter(similar, SIMILAR_PROMPTS) as table:
        for path in progress(vectors, "similar prompts"):
            asked = _numbers(_read(path, wanted))
            blocks = (_numbers(_read(other, wanted)) for other in vectors)
            scores, found = find_top_matches(asked, blocks, top_k=neighbours + 1, products=products)
            own = np.arange(first, first + len(asked))
            kept = found != own[:, None]
            # Where so many others are the same that a prompt is not among its own nearest.
            kept[kept.all(axis=1), -1] = False
            queries, _ = np.nonzero(kept)
            ranks = kept.cumsum(axis=1)[kept]
            columns = {
                "query": ids.take(pa.array(own[queries])),
                "reference": ids.take(pa.array(found[kept])),
                "rank": pa.array(ranks, pa.int32()),
                "similarity": pa.array(scores[kept], pa.float32()),
            }
            table.write(pa.table(columns))
            first += len(asked)
    counts = Counts(kept=len(ids), declared=len(wanted))
    counts.reject("no_embedding", len(wanted) - len(ids))
    return counts


def _read(path: Path, wanted: pa.Array) -> pa.Table:
    table = read_table(path, columns=["uuid", "embedding"]).combine_chunks()
    return table.filter(pc.is_in(table["uuid"], value_set=wanted))


def _numbers(table: pa.Table) -> np.ndarray:
    return embedding_array(table["embedding"]).astype(np.float32)


if __name__ == "__main__":
    run_job(find_similar_prompts, snakemake)
