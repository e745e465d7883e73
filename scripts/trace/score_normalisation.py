"""Score normalisation: what a query has in common with any picture is subtracted from its scores.

As in the Image Similarity Challenge, and as SSCD's evaluation has it
(https://github.com/facebookresearch/sscd-copy-detection, sscd/disc_eval.py: ``1.0[0,2]`` is weight
1 and the three nearest): s' = s - weight x (mean of the query's largest cosines to a background
set). It moves queries against each other, and never a query's own references. Supplement 16 does
not mention it, so it is off unless the configuration asks for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scripts.common.errors import UserError
from scripts.trace.search import Products, find_top_matches

OFF = {"weight": 0.0, "neighbours": 3}


@dataclass(frozen=True)
class Normalisation:
    """Settings: ``weight`` of what is subtracted (0 is off), nearest ``neighbours`` averaged."""

    weight: float = 0.0
    neighbours: int = 3


def similarity_to_background(
    queries: np.ndarray,
    background: Iterable[np.ndarray],
    *,
    neighbours: int,
    threads: int = 1,
    products: Products | None = None,
) -> np.ndarray:
    """Return the mean of each query's largest cosines to the background, float32, (queries,).

    Args:
        queries: float32 unit vectors of shape (queries, dimension).
        background: blocks of float32 unit vectors.
        neighbours: how many of the largest are averaged; fewer if there are fewer.
        threads: as ``find_top_matches``.
        products: likewise.

    Raises:
        UserError: the background is empty.
    """
    scores, _ = find_top_matches(
        queries, background, top_k=neighbours, threads=threads, products=products
    )
    if not scores.shape[1]:
        raise UserError(
            "no picture of the background was described, so scores cannot be normalised; see the "
            "logs of extract_features, or set trace.score_normalisation.weight to 0"
        )
    return scores.mean(axis=1, dtype=np.float32)
