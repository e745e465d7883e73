"""Embed the image prompts of one shard (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.annotate.shard_annotation import ShardAnnotator
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import image_embeddings


def embed_images(
    tar: Path,
    index: Path,
    output: Path,
    *,
    entry: Mapping[str, Any],
    batch_size: int,
    device: str = "cpu",
    ledger_root: Path = LEDGER,
    code: Sequence[Path | str] = (),
) -> Counts:
    """Write an embedding of length 1 for each image.

    Args:
        tar: tar of the images.
        index: its index (``ITEM_INDEX``).
        output: table of ``image_embeddings``.
        entry: entry of config/annotators.yaml with its ``name``; an ImageEmbedder.
        batch_size: pictures in memory at a time.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: where finished rows are kept.
        code: modules that decide what is made.

    Returns:
        Counts of images.
    """
    annotator = ShardAnnotator(entry, batch_size, device, ledger_root, code)

    def describe(pictures: Sequence[np.ndarray]) -> list[dict]:
        vectors = annotator.backend.embed(pictures)
        return [{"embedding": vector.astype(np.float16)} for vector in vectors]

    schema = image_embeddings(annotator.backend.dimension)
    return annotator.annotate_images(tar, index, output, schema, describe)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = embed_images(
            tar=Path(snakemake.input.tar),
            index=Path(snakemake.input.index),
            output=Path(snakemake.output.annotations),
            entry=snakemake.params.entry,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            code=snakemake.input.code,
        )
        log.finish(counts)
