"""Search every query that a model describes among all references."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.engine import ledger_key
from scripts.common.errors import UserError
from scripts.common.fingerprints import hash_files
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, JobLedger
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK
from scripts.common.schemas.trace import ALONG_SET, MATCHES, VIDEO_SET
from scripts.common.tables import read_table, write_table
from scripts.trace.candidate_list import best_pairs
from scripts.trace.feature_tables import by_model_and_set, dimension_of, read_pictures, read_vectors
from scripts.trace.fused_frames import fuse_frames, prompt_of
from scripts.trace.match_rows import match_rows, sought, unmatched_rows
from scripts.trace.search import Products, find_top_matches

_ALONG = ALONG_SET.format("")
OFF = {"weight": 0.0, "neighbours": 3}
SCRIPT = "scripts/trace/match_queries.py"
_BYTES_PER_NUMBER = 4


def match_queries(
    queries: Sequence[Path],
    references: Sequence[Path],
    matches: Path,
    *,
    top_k: int,
    candidates: int,
    block_mb: int,
    background: Sequence[Path] = (),
    normalisation: Mapping[str, Any] = OFF,
    gpu: bool = False,
    library: str = "torch",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Find the references that are nearest to each query by cosine (Section 5.4), exactly.

    All sets of queries are searched in one pass over the references, and the distractors once,
    not once for each generator. Frames along videos are searched one by one, and fused (``<generator>-video``). A set that was searched before in the same features is recalled.
    A query whose source image is not among the described references is not searched for: its true
    pair cannot be found by any tracer. Distractors are searched for in vain, as the paper does.

    Scores may be normalised by what a query has in common with any picture, as in the Image
    Similarity Challenge, and as SSCD's evaluation has it
    (https://github.com/facebookresearch/sscd-copy-detection, sscd/disc_eval.py: ``1.0[0,2]`` is
    weight 1 and the three nearest): s' = s - weight x (mean of the query's largest cosines to a
    background set). It moves queries against each other, and never a query's own references.
    Supplement 16 does not mention it, so it is off unless the configuration asks for it.

    Memory: ``block_mb`` each for queries and for references (twice, while the next one is read),
    and as much for products on a GPU. More queries than that are searched for in several passes.

    Args:
        queries: shards of the features of sets of queries (a generator's, or distractors), each in
            a folder with the set's name.
        references: shards of the features of source images and references.
        matches: the table to write (``MATCHES``), sorted by set, query and rank.
        top_k: references kept for each query, at least.
        candidates: pairs that are kept of each set besides, the best of all its queries together
            (``best_pairs``); 0 keeps none.
        block_mb: queries, and references, searched at once, in MB of float32.
        background: shards of the features of the background, for
        normalisation: ``weight`` of what is subtracted (0 is off), nearest ``neighbours`` averaged.
        gpu: whether to search on a GPU, if there is one.
        library: by which, ``torch`` or ``faiss``; the answer is the same.
        threads: of the search on the CPU.
        ledger_root: where finished sets outlive the job.

    Returns:
        Counts of queries.
    """
    sets = {name: paths for (_, name), paths in by_model_and_set(queries).items()}
    videos = {VIDEO_SET.format(name.removesuffix(_ALONG)): paths
              for name, paths in sets.items() if name.endswith(_ALONG)}  # fmt: skip
    decisive = {
        "references": hash_files(references),
        "background": hash_files(background),
        "normalisation": dict(normalisation),
        "top_k": top_k,
        "candidates": candidates,
    }
    ledgers = {}
    for name, shards in (sets | videos).items():
        key = ledger_key(SCRIPT, queries=hash_files(shards), **decisive)
        ledgers[name] = JobLedger(ledger_root / "trace" / key / name)
    matches.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=matches.parent, prefix="tmp-") as folder:
        parts = {name: Path(folder) / f"{name}.parquet" for name in ledgers}
        left = {
            name: shards
            for name, shards in (sets | videos).items()
            if not ledgers[name].recall({parts[name].name: parts[name]})
        }
        if left:
            found = _search(
                {name: shards for name, shards in left.items() if name in sets},
                {name: shards for name, shards in left.items() if name in videos},
                references,
                background,
                normalisation=normalisation,
                top_k=top_k,
                candidates=candidates,
                block_mb=block_mb,
                products=pick_products(gpu, block_mb, threads, library),
            )
        for name in left:
            mine = found.filter(pc.equal(found["set"], name))
            write_table(mine, parts[name], MATCHES, sort_by=["query", "rank"])
            ledgers[name].remember({parts[name].name: parts[name]})
        table = read_table(parts.values(), MATCHES)
    write_table(table, matches, MATCHES, sort_by=["set", "query", "rank"])
    asked = table.filter(pc.equal(pc.fill_null(table["rank"], 1), 1))
    counts = Counts.of_statuses(dict(enumerate(asked["reason"].to_pylist())))
    counts.declared = read_pictures(queries).num_rows + sum(
        len(fuse_frames(shards)[0]) for shards in videos.values()
    )
    return counts


def _search(
    queries: Mapping[str, Sequence[Path]],
    videos: Mapping[str, Sequence[Path]],
    references: Sequence[Path],
    background: Sequence[Path],
    *,
    normalisation: Mapping[str, Any],
    top_k: int,
    candidates: int,
    block_mb: int,
    products: Products,
) -> pa.Table:
    """Return the ``MATCHES`` of some sets of pictures, and of some of videos (``fuse_frames``)."""
    known = read_pictures(references)
    known = known.filter(pc.equal(known["status"], OK))
    asked = []
    for name, paths in queries.items():
        asked.append(_named(read_pictures(paths), name))
    pictures, fused = sum(map(len, asked)), []
    for name, paths in videos.items():
        table, means = fuse_frames(paths)
        asked.append(_named(table, name))
        fused.append(means)
    asked = pa.concat_tables(asked)
    searched = sought(asked, known)
    if searched.any() and not known.num_rows:
        raise UserError(
            f"no reference of {references[0].parent} was described, so there is nothing to search "
            "in; see the logs of extract_features"
        )
    shards = [shard for paths in queries.values() for shard in paths]
    dimension = dimension_of([*shards, *chain(*videos.values()), *references, *background])
    rows = max(1, block_mb * 2**20 // (_BYTES_PER_NUMBER * dimension))
    name = references[0].parent.parent.name

    def vectors(is_wanted: np.ndarray) -> Iterator[np.ndarray]:
        yield from read_vectors(shards, rows, is_wanted[:pictures])
        described = pc.equal(asked["status"], OK).to_numpy()[pictures:]
        for means in [np.concatenate(fused)[is_wanted[pictures:][described]]] if fused else []:
            yield from (means[start : start + rows] for start in range(0, len(means), rows))

    def search(wanted: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
        is_wanted = np.isin(np.arange(len(asked)), wanted)
        found = []
        for some in vectors(is_wanted):
            total = -(-known.num_rows // rows)
            blocks = progress(read_vectors(references, rows), f"search {name}", total=total)
            scores, numbers = find_top_matches(some, blocks, top_k=kept, products=products)
            if normalisation["weight"]:
                shared = _similarity_to(
                    read_vectors(background, rows), some, normalisation["neighbours"], products
                )
                scores -= normalisation["weight"] * shared[:, None]
            found.append((scores, numbers))
        if not found:
            return np.empty((0, 0), np.float32), np.empty((0, 0), np.int64)
        scores, numbers = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return scores, numbers

    scores, numbers = search(np.flatnonzero(searched), top_k)
    sets = np.asarray(asked["set"])[searched]
    tables = []
    for one in dict.fromkeys(sets.tolist()):
        mine = sets == one
        pairs = best_pairs(
            search,
            np.flatnonzero(searched)[mine],
            (scores[mine], numbers[mine]),
            candidates=candidates,
            references=known.num_rows,
        )
        tables.append(match_rows(asked, known, pairs))
    nothing = pa.table({field.name: pa.array([], field.type) for field in MATCHES})
    tables += [nothing, unmatched_rows(asked, searched)]
    return pa.concat_tables(tables, promote_options="default")


def _named(pictures: pa.Table, name: str) -> pa.Table:
    """Return the pictures of a set with its name, and with what is sought (a prompt's image)."""
    sought = prompt_of(pictures["uuid"]) if name.endswith(_ALONG) else pictures["uuid"]
    named = pictures.append_column("set", pa.array([name] * len(pictures), pa.string()))
    return named.append_column("prompt", sought)


def _similarity_to(
    background: Iterable[np.ndarray], queries: np.ndarray, neighbours: int, products: Products
) -> np.ndarray:
    """Return the mean of each query's largest cosines to the background, float32, (queries,)."""
    nearest, _ = find_top_matches(queries, background, top_k=neighbours, products=products)
    if not nearest.shape[1]:
        raise UserError(
            "no picture of the background was described, so scores cannot be normalised; see the "
            "logs of extract_features, or set trace.score_normalisation.weight to 0"
        )
    return nearest.mean(axis=1, dtype=np.float32)


def pick_products(gpu: bool, block_mb: int, threads: int, library: str = "torch") -> Products:
    """Return who takes products: torch on a GPU, if one is asked for and there, or faiss."""
    if gpu:
        import torch

        gpu = torch.cuda.is_available()
        if gpu and library == "torch":
            from scripts.trace.torch_products import TorchProducts

            return TorchProducts("cuda", memory_mb=block_mb)
    from scripts.trace.faiss_products import FaissProducts

    return FaissProducts(threads, gpu=gpu)


if __name__ == "__main__":
    run_job(match_queries, snakemake)
