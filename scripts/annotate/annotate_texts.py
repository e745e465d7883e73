"""Annotate the text prompts of one shard by models on this machine (Section 3, Supplement 10)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.annotate.annotator import Annotator
from scripts.annotate.text_annotations import TEXT_ANNOTATIONS, TextShard
from scripts.common.code import settings_of
from scripts.common.engine import run
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts, rule_log

SCRIPT = "scripts/annotate/annotate_texts.py"


def annotate_texts(
    shard: TextShard,
    outputs: Mapping[str, Path],
    *,
    entries: Mapping[str, Mapping[str, Any]],
    batch_size: int,
    device: str = "cpu",
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the annotations of each prompt that has an image.

    One annotator works after the other: texts cost nothing to read, and a language model may leave
    no room for another.

    Args:
        shard: the prompts.
        outputs: annotation -> its table; ``vectors`` -> that of the embeddings.
        entries: one of ``TEXT_ANNOTATIONS`` -> its annotator.
        batch_size: texts per call of a model; it changes no result.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of prompts, all annotations together.
    """
    texts, counts = shard.texts(), Counts(declared=0)
    for name, entry in entries.items():
        annotator = Annotator(entry, name, shard.name, SCRIPT, device, ledger_root=ledger_root)
        counts += _annotate(annotator, texts, outputs, batch_size)
    return counts


def _annotate(
    annotator: Annotator, texts: Mapping[str, str], outputs: Mapping[str, Path], batch_size: int
) -> Counts:
    annotation = TEXT_ANNOTATIONS[annotator.annotation]
    task = annotator.task(annotation, dict.fromkeys(texts), batch_size=batch_size)
    run([task], texts.__getitem__, what=task.name)
    return annotator.write(task, annotation, outputs)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        shard = TextShard(Path(snakemake.input.prompts), Path(snakemake.input.index))
        outputs = {name: Path(path) for name, path in snakemake.output.items()}
        log.finish(annotate_texts(shard, outputs, **settings_of(snakemake.params)))
