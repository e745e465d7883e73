"""Score how unsafe the text prompts of one shard are (Section 3)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.annotate.shard_annotation import Annotator, TextShard
from scripts.common.code import settings_of
from scripts.common.roles import TextSafety
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import TEXT_NSFW


def score_texts(shard: TextShard, annotator: Annotator) -> Counts:
    """Write all scores of the model, and the released one, for each prompt that has an image.

    Args:
        shard: the prompts; the output is a table of ``TEXT_NSFW``.
        annotator: a TextSafety.

    Returns:
        Counts of prompts.
    """
    return annotator.annotate_texts(shard, TEXT_NSFW, _describe, row_of=dict)


def _describe(safety: TextSafety, texts: Sequence[str]) -> Iterator[dict]:
    scores = safety.score(texts)
    for number in range(len(texts)):
        found = {key: float(values[number]) for key, values in scores.items()}
        yield {"score": found[safety.released], "scores": sorted(found.items())}


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        annotator = Annotator(
            script="scripts/annotate/score_texts.py", **settings_of(snakemake.params)
        )
        paths = (snakemake.input.prompts, snakemake.input.index, snakemake.output.annotations)
        log.finish(score_texts(TextShard(*map(Path, paths)), annotator))
