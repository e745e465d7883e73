"""Embeddings, of texts and of pictures alike."""

import numpy as np

from scripts.annotate.annotator import Annotation

EMBEDDING = Annotation(
    lambda embedder, items: embedder.embed(items),
    lambda vector: {"embedding": vector.astype(np.float16)},
)
"""Vectors of length 1 as they are released: float16."""
