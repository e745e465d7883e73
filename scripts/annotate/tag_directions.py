"""Extract the verbs of each text prompt of one shard (Supplement 10)."""

from pathlib import Path

from scripts.annotate.shard_annotation import Annotator, TextShard
from scripts.common.code import settings_of
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import DIRECTION


def tag_directions(shard: TextShard, annotator: Annotator) -> Counts:
    """Write the verbs in base form for each prompt that has an image; there may be none.

    Args:
        shard: the prompts; the output is a table of ``DIRECTION``.
        annotator: a DirectionTagger.

    Returns:
        Counts of prompts.
    """
    return annotator.annotate_texts(
        shard,
        DIRECTION,
        describe=lambda tagger, texts: tagger.tag(texts),
        row_of=lambda verbs: {"verbs": verbs},
    )


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        annotator = Annotator(
            script="scripts/annotate/tag_directions.py", **settings_of(snakemake.params)
        )
        paths = (snakemake.input.prompts, snakemake.input.index, snakemake.output.annotations)
        log.finish(tag_directions(TextShard(*map(Path, paths)), annotator))
