"""Embed the text prompts of one shard (Section 3)."""

from pathlib import Path

import numpy as np

from scripts.annotate.shard_annotation import Annotator, TextShard
from scripts.common.code import settings_of
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import text_embeddings


def embed_texts(shard: TextShard, annotator: Annotator) -> Counts:
    """Write an embedding of length 1 for each prompt that has an image.

    Args:
        shard: the prompts; the output is a table of ``text_embeddings``.
        annotator: a TextEmbedder.

    Returns:
        Counts of prompts.
    """
    return annotator.annotate_texts(
        shard,
        schema=lambda embedder: text_embeddings(embedder.dimension),
        describe=lambda embedder, texts: embedder.embed(texts),
        row_of=lambda vector: {"embedding": vector.astype(np.float16)},
    )


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        annotator = Annotator(
            script="scripts/annotate/embed_texts.py", **settings_of(snakemake.params)
        )
        paths = (snakemake.input.prompts, snakemake.input.index, snakemake.output.annotations)
        log.finish(embed_texts(TextShard(*map(Path, paths)), annotator))
