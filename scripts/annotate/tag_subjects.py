"""Name what each text prompt of one shard wants to see animated (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.shard_annotation import Rejection, ShardAnnotator
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import SUBJECT


def tag_subjects(
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
    """Write a subject for each prompt that has an image; null where the prompt names none.

    Args:
        prompts: table of ``PROMPTS``.
        index: index of the images (``ITEM_INDEX``).
        output: table of ``SUBJECT``.
        entry: entry of config/annotators.yaml with its ``name``; a SubjectTagger.
        batch_size: texts per call of the backend.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: where finished rows are kept.
        code: modules that decide what is made.

    Returns:
        Counts of prompts.
    """
    annotator = ShardAnnotator(entry, batch_size, device, ledger_root, code)

    def describe(texts: Sequence[str]) -> list[dict | Rejection]:
        subjects = annotator.backend.tag(texts)
        return [s if isinstance(s, Rejection) else {"subject": s or None} for s in subjects]

    return annotator.annotate_texts(prompts, index, output, SUBJECT, describe)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = tag_subjects(
            prompts=Path(snakemake.input.prompts),
            index=Path(snakemake.input.index),
            output=Path(snakemake.output.annotations),
            entry=snakemake.params.entry,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            code=snakemake.input.code,
        )
        log.finish(counts)
