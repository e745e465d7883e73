"""Embed the image prompts of one shard (Section 3)."""

from pathlib import Path

import numpy as np

from scripts.annotate.shard_annotation import Annotator, PictureShard
from scripts.common.code import settings_of
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import image_embeddings


def embed_images(shard: PictureShard, annotator: Annotator) -> Counts:
    """Write an embedding of length 1 for each image.

    Args:
        shard: the images; the output is a table of ``image_embeddings``.
        annotator: an ImageEmbedder.

    Returns:
        Counts of images.
    """
    return annotator.annotate_pictures(
        shard,
        schema=lambda embedder: image_embeddings(embedder.dimension),
        describe=lambda embedder, pictures: embedder.embed(pictures),
        row_of=lambda vector: {"embedding": vector.astype(np.float16)},
    )


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        annotator = Annotator(
            script="scripts/annotate/embed_images.py", **settings_of(snakemake.params)
        )
        paths = (snakemake.input.tar, snakemake.input.index, snakemake.output.annotations)
        log.finish(embed_images(PictureShard(*map(Path, paths)), annotator))
