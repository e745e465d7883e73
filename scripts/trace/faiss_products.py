"""Inner products by faiss, the fast ones on the CPU or, where faiss has CUDA, on a GPU."""

from collections.abc import Iterator
from functools import partial

import faiss
import numpy as np

from scripts.common.errors import UserError

_MOST_ON_GPU = 2048
"""Neighbours that faiss finds of a query at once on a GPU."""

_PAIR_CELLS = 2**20
"""Numbers of gathered pairs held at once (8 MiB for each side in float64, so that they stay in
the cache)."""

_WHOLE_CELLS = 2**23
"""Products with a whole block held at once (64 MiB in float64)."""

_REFERENCE_ROWS = 8_192
"""References converted to float64 at once, where a whole block is multiplied."""


class FaissProducts:
    """Products of queries with blocks of references; a Products of ``search``."""

    spare = 4

    def __init__(self, threads: int = 1, *, gpu: bool = False):
        """Set where products are taken.

        Args:
            threads: on the CPU.
            gpu: whether faiss's exact search on a GPU finds the candidates; they are multiplied
                again as on the CPU, so that the answer is the same.

        Raises:
            UserError: a GPU is asked for, and the faiss that is installed has no CUDA.
        """
        faiss.omp_set_num_threads(threads)
        if gpu and not hasattr(faiss, "StandardGpuResources"):
            raise UserError(
                "trace.search is faiss, and the faiss that is installed knows no GPU; install "
                "faiss-gpu-cu12 in place of faiss-cpu, or set trace.search to torch"
            )
        self._knn_gpu = partial(faiss.knn_gpu, faiss.StandardGpuResources()) if gpu else None
        self._queries = self._block = np.empty((0, 0), np.float32)
        self.error = 0.0

    def start(self, queries: np.ndarray) -> None:
        """Take the queries."""
        self._queries = queries
        # Rounding errors of n additions grow as sqrt(n) with near certainty (Higham and Mary
        # 2019, https://doi.org/10.1137/18M1226312), and BLAS adds in many partial sums besides.
        self.error = 8 * queries.shape[1] ** 0.5 * 2.0**-24 if queries.size else 0.0

    def take(self, block: np.ndarray) -> None:
        """Take the next block of references."""
        self._block = block

    def candidates(self, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Return products and rows of each query's best, best first."""
        on_gpu = self._knn_gpu and wanted <= _MOST_ON_GPU
        knn = self._knn_gpu if on_gpu else faiss.knn
        return knn(self._queries, self._block, wanted, metric=faiss.METRIC_INNER_PRODUCT)

    def exact(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the products of pairs in float64, rounded to float32."""
        products = np.empty(len(rows), np.float32)
        step = max(1, _PAIR_CELLS // max(self._block.shape[1], 1))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            left = self._queries[queries[part]].astype(np.float64)
            products[part] = np.einsum("ij,ij->i", left, self._block[rows[part]].astype(np.float64))
        return products

    def all_exact(self, queries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield some of the queries' numbers and their products with the whole block."""
        step = max(1, _WHOLE_CELLS // max(len(self._block), 1))
        for start in range(0, len(queries), step):
            some = queries[start : start + step]
            left = self._queries[some].astype(np.float64)
            whole = np.empty((len(some), len(self._block)), np.float32)
            for row in range(0, len(self._block), _REFERENCE_ROWS):
                part = slice(row, row + _REFERENCE_ROWS)
                whole[:, part] = left @ self._block[part].astype(np.float64).T
            yield some, whole
