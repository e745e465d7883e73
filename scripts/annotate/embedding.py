"""Embeddings, of texts and of pictures alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from scripts.annotate.annotator import Annotation


def embed(embedder: Any, items: Sequence[Any]) -> Sequence[Any]:
    """Return an embedder's vectors, of length 1."""
    return embedder.embed(items)


def _as_float16(vector: np.ndarray) -> dict:
    return {"embedding": vector.astype(np.float16)}


EMBEDDING = Annotation(embed, _as_float16)
"""Vectors as they are released: float16."""
