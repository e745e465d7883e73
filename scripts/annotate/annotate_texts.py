"""Annotate the text prompts of one shard by models on this machine (Section 3, Supplement 10)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.annotate.annotator import Annotator
from scripts.annotate.text_annotations import TEXT_ANNOTATIONS, TextShard
from scripts.common.engine import run
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts

SCRIPT = "scripts/annotate/annotate_texts.py"


def annotate_texts(
    prompts: Path,
    index: Path,
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
        prompts: table of ``PROMPTS``.
        index: index of the images (``ITEM_INDEX``); its stem is the shard.
        outputs: annotation -> its table; ``vectors`` -> that of the embeddings.
        entries: one of ``TEXT_ANNOTATIONS`` -> its annotator.
        batch_size: texts per call of a model; it changes no result.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of prompts, all annotations together.
    """
    shard, counts = TextShard(prompts, index), Counts(declared=0)
    texts = shard.texts()
    for name, entry in entries.items():
        annotator = Annotator(entry, name, shard.name, SCRIPT, device, ledger_root=ledger_root)
        task = annotator.task(TEXT_ANNOTATIONS[name], dict.fromkeys(texts), batch_size=batch_size)
        run([task], texts.__getitem__, what=task.name)
        counts += annotator.write(task, TEXT_ANNOTATIONS[name], outputs)
    return counts


if __name__ == "__main__":
    files = {name: Path(path) for name, path in snakemake.output.items()}
    run_job(annotate_texts, snakemake, outputs=files)
