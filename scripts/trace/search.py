"""Exact search by inner product, with bounded memory and the same answer everywhere.

The answer is that of sorting all products, taken in float64 and rounded to float32: highest first,
and among equal ones the reference that came first. How it is found decides nothing but the time:

- References come in blocks. A fast product in float32 chooses a few more candidates of a block than
  are wanted, and only candidates are multiplied again in float64. A fast product errs by less than
  a known bound; a query whose last candidate is not that far below its last wanted one (ties, and
  near ties) is multiplied with the whole block in float64.
- On the CPU the fast product is faiss's (``faiss_products``): exact, without an index. On the same
  two cores it runs at one and a half times the speed of torch's product and top-k (157 against
  94 GFLOP/s), and imports in a tenth of the time.
- On a GPU it is torch's (``torch_products``), which is there anyway; or faiss's, where a faiss with
  CUDA is installed and ``trace.search`` asks for it. Which is faster on a card was not measured.
"""

from collections.abc import Iterable
from typing import Protocol

import numpy as np


class Products(Protocol):
    """Inner products of some queries with blocks of references."""

    spare: int
    """Candidates beyond those that are wanted."""

    error: float
    """Bound of the error of ``candidates``' products, if all vectors have length 1."""

    def start(self, queries: np.ndarray) -> None:
        """Take the queries, float32 of shape (queries, dimension)."""

    def take(self, block: np.ndarray) -> None:
        """Take the next block of references, float32 of shape (rows, dimension)."""

    def candidates(self, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Return products (float32) and rows (int64) of each query's best, best first."""

    def exact(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the products of pairs in float64, rounded to float32, shape (pairs,)."""

    def all_exact(self, queries: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Yield some of the queries' numbers and their products with the whole block, as exact."""


def find_top_matches(
    queries: np.ndarray, blocks: Iterable[np.ndarray], *, top_k: int, products: Products
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best references of each query.

    Memory: the queries, one block, and what ``products`` holds beside them (at most some 128 MiB
    on the CPU).

    Args:
        queries: float32 of shape (queries, dimension); unit vectors, if cosines are wanted.
        blocks: references, each block float32 of shape (rows, dimension), in order.
        top_k: references kept for each query.
        products: where and how products are taken.

    Returns:
        Inner products (float32) and numbers of the references, counted from 0 over all blocks
        (int64), both of shape (queries, min(top_k, references)), best first.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    scores = np.empty((len(queries), 0), np.float32)
    numbers = np.empty((len(queries), 0), np.int64)
    products.start(queries)
    longest, seen = _longest(queries), 0
    for block in blocks:
        if not len(block):
            continue
        block = np.ascontiguousarray(block, np.float32)
        if len(queries):
            full = scores.shape[1] == top_k
            floor = scores[:, -1] if full else np.full(len(queries), -np.inf, np.float32)
            products.take(block)
            error = products.error * longest * _longest(block)
            found = _search_block(products, len(block), top_k, floor, error)
        else:
            found = np.empty((0, min(top_k, len(block))), np.float32), np.empty((0, 0), np.int64)
        scores, numbers = _merge((scores, numbers), (found[0], found[1] + seen), top_k)
        seen += len(block)
    return scores, numbers


def _search_block(
    products: Products, length: int, top_k: int, floor: np.ndarray, error: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best of one block.

    Args:
        products: have taken the block.
        length: of the block.
        top_k: as ``find_top_matches``.
        floor: each query's worst product that is kept so far; what is below is not needed.
        error: bound of the candidates' error.
    """
    wanted = min(top_k + products.spare, length)
    rough, rows = products.candidates(wanted)
    needed = floor - error
    if wanted > top_k:
        needed = np.maximum(needed, rough[:, top_k - 1] - 2 * error)
    scores = np.full(rough.shape, -np.inf, np.float32)
    queries, places = np.nonzero(rough >= needed[:, None])
    scores[queries, places] = products.exact(queries, rows[queries, places])
    scores, rows = _best(scores, rows, top_k)
    if wanted < length:
        unsure = np.flatnonzero(rough[:, -1] >= needed)
        for some, whole in products.all_exact(unsure):
            scores[some], rows[some] = _best_of_whole(whole, top_k)
    return scores, rows


def _best_of_whole(products: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the best columns of each row of products with a whole block."""
    rows = np.empty((len(products), top_k), np.int64)
    for number, line in enumerate(products):
        last = np.partition(line, len(line) - top_k)[len(line) - top_k]
        above = np.flatnonzero(line > last)
        rows[number, : len(above)] = above
        rows[number, len(above) :] = np.flatnonzero(line == last)[: top_k - len(above)]
    return _best(np.take_along_axis(products, rows, axis=1), rows, top_k)


def _merge(
    kept: tuple[np.ndarray, np.ndarray], found: tuple[np.ndarray, np.ndarray], top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    if not len(kept[0]):
        width = min(top_k, kept[0].shape[1] + found[0].shape[1])
        return np.empty((0, width), np.float32), np.empty((0, width), np.int64)
    both = (np.concatenate(pair, axis=1) for pair in zip(kept, found, strict=True))
    return _best(*both, top_k)


def _best(scores: np.ndarray, rows: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``top_k`` best of each line, best first; of equal ones the first row."""
    order = np.lexsort((rows, -scores), axis=-1)[:, :top_k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _longest(vectors: np.ndarray) -> float:
    return float(np.sqrt(np.einsum("ij,ij->i", vectors, vectors).max(initial=0)))
