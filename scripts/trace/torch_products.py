"""Inner products by torch, on a GPU."""

from collections.abc import Iterator

import numpy as np
import torch


class TorchProducts:
    """Products of queries with blocks of references; a Products of ``search``.

    Queries and one block lie on the device, beside them at most ``memory_mb`` of products.
    """

    spare = 22

    def __init__(self, device: str | torch.device = "cuda", *, memory_mb: int = 2048):
        """Set where products are taken.

        Args:
            device: of torch.
            memory_mb: of products held at once, in MB.
        """
        self._device, self._bytes = torch.device(device), memory_mb * 2**20
        # A card's matrix units take float32 with 11 bits of its mantissa (TF32): each factor errs
        # by 2**-11 of itself at most, so a product of unit vectors by 2**-10, and adding up the
        # products adds little to that.
        self.error = 1.1 * 2.0**-10

    def start(self, queries: np.ndarray) -> None:
        """Take the queries."""
        self._queries = torch.from_numpy(queries).to(self._device)

    def take(self, block: np.ndarray) -> None:
        """Take the next block of references."""
        self._block = torch.from_numpy(block).to(self._device)

    def candidates(self, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Return products and rows of each query's best, best first."""
        scores = np.empty((len(self._queries), wanted), np.float32)
        rows = np.empty((len(self._queries), wanted), np.int64)
        step = self._step(4 * len(self._block))
        for start in range(0, len(self._queries), step):
            part = slice(start, start + step)
            best = self._multiply(self._queries[part], self._block).topk(wanted)
            scores[part], rows[part] = best.values.cpu().numpy(), best.indices.cpu().numpy()
        return scores, rows

    def exact(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the products of pairs in float64, rounded to float32."""
        products = np.empty(len(rows), np.float32)
        step = self._step(24 * self._block.shape[1])
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            left = self._queries[torch.from_numpy(queries[part]).to(self._device)].double()
            right = self._block[torch.from_numpy(rows[part]).to(self._device)].double()
            products[part] = (left * right).sum(1).float().cpu().numpy()
        return products

    def all_exact(self, queries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield some of the queries' numbers and their products with the whole block."""
        step = self._step(12 * len(self._block))
        block = self._block.double() if len(queries) else None
        for start in range(0, len(queries), step):
            some = queries[start : start + step]
            left = self._queries[torch.from_numpy(some).to(self._device)].double()
            yield some, (left @ block.T).float().cpu().numpy()

    def _multiply(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            return left @ right.T
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before

    def _step(self, bytes_each: int) -> int:
        return max(1, self._bytes // max(bytes_each, 1))
