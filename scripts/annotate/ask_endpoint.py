"""Ask a model behind an endpoint about the text prompts of one shard (Section 3, Supplement 10)."""

from collections.abc import Mapping
from pathlib import Path

from scripts.annotate.annotator import VECTORS, Annotator
from scripts.annotate.text_annotations import TEXT_ANNOTATIONS, TextShard
from scripts.common.code import settings_of
from scripts.common.rule_log import Counts, rule_log


def ask_endpoint(shard: TextShard, outputs: Mapping[str, Path], annotator: Annotator) -> Counts:
    """Write an annotation of each prompt that has an image; no text is paid for twice.

    Args:
        shard: the prompts.
        outputs: annotation -> its table; ``vectors`` -> that of the embeddings.
        annotator: of one of ``TEXT_ANNOTATIONS``.

    Returns:
        Counts of prompts.

    Raises:
        UserError: the budget does not cover them, or the endpoint does not work.
    """
    texts, annotation = shard.texts(), TEXT_ANNOTATIONS[annotator.annotation]
    task = annotator.task(annotation, dict.fromkeys(texts))
    annotator.ask(task, texts)
    return annotator.write(task, annotation, outputs)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        shard = TextShard(Path(snakemake.input.prompts), Path(snakemake.input.index))
        annotation, settings = snakemake.wildcards.annotation, settings_of(snakemake.params)
        outputs = dict(zip((annotation, VECTORS), map(Path, snakemake.output), strict=False))
        annotator = Annotator(annotation=annotation, part=shard.name, **settings)
        log.finish(ask_endpoint(shard, outputs, annotator))
