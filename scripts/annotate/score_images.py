"""Score how unsafe the image prompts of one shard are (Section 3)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.shard_annotation import Annotator, PictureShard
from scripts.common.code import settings_of
from scripts.common.roles import ImageSafety
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import IMAGE_NSFW, NSFW, SAFE


def score_images(shard: PictureShard, annotator: Annotator) -> Counts:
    """Write a score and a label for each image.

    Args:
        shard: the images; the output is a table of ``IMAGE_NSFW``.
        annotator: an ImageSafety, whose ``threshold`` decides the label.

    Returns:
        Counts of images.
    """
    return annotator.annotate_pictures(shard, IMAGE_NSFW, _describe, row_of=dict)


def _describe(safety: ImageSafety, pictures: Sequence[Any]) -> Iterator[dict]:
    for score in safety.score(pictures).tolist():
        yield {"score": score, "label": NSFW if score >= safety.threshold else SAFE}


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        annotator = Annotator(
            script="scripts/annotate/score_images.py", **settings_of(snakemake.params)
        )
        paths = (snakemake.input.tar, snakemake.input.index, snakemake.output.annotations)
        log.finish(score_images(PictureShard(*map(Path, paths)), annotator))
