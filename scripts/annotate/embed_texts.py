"""Embed the text prompts of one shard (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.annotate.shard_annotation import Rejection, ShardAnnotator
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import text_embeddings


def embed_texts(
    prompts: Path,
    index: Path,
    output: Path,
    *,
    entry: Mapping[str, Any],
    batch_size: int,
    device: str = "cpu",
    ledger_root: Path = LEDGER,
    code: Sequence[Path | str] = (),
) -> Counts:
    """Write an embedding of length 1 for each prompt that has an image.

    Args:
        prompts: table of ``PROMPTS``.
        index: index of the images (``ITEM_INDEX``).
        output: table of ``text_embeddings``.
        entry: entry of config/annotators.yaml with its ``name``; a TextEmbedder.
        batch_size: texts per call of the backend.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: where finished rows are kept.
        code: modules that decide what is made.

    Returns:
        Counts of prompts.
    """
    annotator = ShardAnnotator(entry, batch_size, device, ledger_root, code)

    def describe(texts: Sequence[str]) -> list[dict | Rejection]:
        vectors = annotator.backend.embed(texts)
        return [
            vector if isinstance(vector, Rejection) else {"embedding": vector.astype(np.float16)}
            for vector in vectors
        ]

    schema = text_embeddings(annotator.backend.dimension)
    return annotator.annotate_texts(prompts, index, output, schema, describe)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = embed_texts(
            prompts=Path(snakemake.input.prompts),
            index=Path(snakemake.input.index),
            output=Path(snakemake.output.annotations),
            entry=snakemake.params.entry,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            code=snakemake.input.code,
        )
        log.finish(counts)
