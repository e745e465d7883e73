"""Score how unsafe the image prompts of one shard are (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.annotate.shard_annotation import ShardAnnotator
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import IMAGE_NSFW, NSFW, SAFE


def score_images(
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
    """Write a score and a label for each image.

    Args:
        tar: tar of the images.
        index: its index (``ITEM_INDEX``).
        output: table of ``IMAGE_NSFW``.
        entry: entry of config/annotators.yaml with its ``name``; an ImageSafety, whose
            ``threshold`` decides the label.
        batch_size: pictures in memory at a time.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: where finished rows are kept.
        code: modules that decide what is made.

    Returns:
        Counts of images.
    """
    annotator = ShardAnnotator(entry, batch_size, device, ledger_root, code)

    def describe(pictures: Sequence[np.ndarray]) -> list[dict]:
        threshold = annotator.backend.threshold
        return [
            {"score": score, "label": NSFW if score >= threshold else SAFE}
            for score in annotator.backend.score(pictures).tolist()
        ]

    return annotator.annotate_images(tar, index, output, IMAGE_NSFW, describe)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = score_images(
            tar=Path(snakemake.input.tar),
            index=Path(snakemake.input.index),
            output=Path(snakemake.output.annotations),
            entry=snakemake.params.entry,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            code=snakemake.input.code,
        )
        log.finish(counts)
