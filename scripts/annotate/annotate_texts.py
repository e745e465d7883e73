"""Annotate text prompts, by models on this machine or behind an endpoint (Section 3, Supplement 10)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.annotator import ALL, VECTORS, Annotator
from scripts.annotate.text_annotations import TEXT_ANNOTATIONS, texts_of
from scripts.common.job import files_of, run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts

SCRIPT = "scripts/annotate/annotate_texts.py"


def annotate_texts(
    prompts: Sequence[Path],
    indexes: Sequence[Path],
    outputs: Mapping[str, Sequence[Path]],
    *,
    entries: Mapping[str, Mapping[str, Any]],
    shard: str = ALL,
    batch_size: int = 1,
    device: str = "cpu",
    terms: Mapping[str, Any] | None = None,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the annotations of each prompt that has an image; no text is paid for twice.

    One annotator works after the other: texts cost nothing to read, and a language model may leave
    no room for another. By an endpoint's batch API, one job works on all shards: it waits for what
    ``submit_batches`` sent, sends what had no room or came back without an answer, and goes on
    where it was killed.

    Args:
        prompts: tables of ``PROMPTS``, one for each shard.
        indexes: indexes of the images (``ITEM_INDEX``), in the same order; their stems are the
            shards.
        outputs: annotation -> its tables, in the same order; ``vectors`` -> those of embeddings.
        entries: one of ``TEXT_ANNOTATIONS`` -> its annotator.
        shard: the one that there is, or ``ALL``.
        batch_size: texts per call of a model; it changes no result.
        device: ``cpu``, ``cuda`` or ``auto``.
        terms: as ``Annotator``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of prompts, all annotations together.

    Raises:
        UserError: the budget does not cover them, or the endpoint does not work.
    """
    shards = [texts_of(*paths) for paths in zip(prompts, indexes, strict=True)]
    texts = {uuid: text for found in shards for uuid, text in found.items()}
    counts = Counts(declared=0)
    for name, entry in entries.items():
        kind = TEXT_ANNOTATIONS[name]
        annotator = Annotator(entry, name, shard, SCRIPT, device, terms or {}, ledger_root)
        tasks = [
            annotator.task(kind, dict.fromkeys(found), part=index.stem, batch_size=batch_size)
            for found, index in zip(shards, indexes, strict=True)
        ]
        annotator.finish(tasks, texts)
        for number, task in enumerate(tasks):
            paths = {key: outputs[key][number] for key in (name, VECTORS) if key in outputs}
            counts += annotator.write(task, kind, paths)
    return counts


if __name__ == "__main__":
    made = dict(snakemake.output.items())
    if "annotations" in made:  # behind an endpoint, whose rules have the annotation as a wildcard
        made[snakemake.wildcards.annotation] = made.pop("annotations")
    run_job(annotate_texts, snakemake, outputs=files_of(made))
