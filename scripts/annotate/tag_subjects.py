"""Name what each text prompt of one shard wants to see animated (Section 3)."""

from pathlib import Path

from scripts.annotate.shard_annotation import Annotator, TextShard
from scripts.common.code import settings_of
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import SUBJECT


def tag_subjects(shard: TextShard, annotator: Annotator) -> Counts:
    """Write a subject for each prompt that has an image; null where the prompt names none.

    Args:
        shard: the prompts; the output is a table of ``SUBJECT``.
        annotator: a SubjectTagger.

    Returns:
        Counts of prompts.
    """
    return annotator.annotate_texts(
        shard,
        SUBJECT,
        describe=lambda tagger, texts: tagger.tag(texts),
        row_of=lambda subject: {"subject": subject or None},
    )


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        annotator = Annotator(
            script="scripts/annotate/tag_subjects.py", **settings_of(snakemake.params)
        )
        paths = (snakemake.input.prompts, snakemake.input.index, snakemake.output.annotations)
        log.finish(tag_subjects(TextShard(*map(Path, paths)), annotator))
