"""Score how unsafe the text prompts of one shard are (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.shard_annotation import ShardAnnotator
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import TEXT_NSFW


def score_texts(
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
    """Write all scores of the model, and the released one, for each prompt that has an image.

    Args:
        prompts: table of ``PROMPTS``.
        index: index of the images (``ITEM_INDEX``).
        output: table of ``TEXT_NSFW``.
        entry: entry of config/annotators.yaml with its ``name``; a TextSafety.
        batch_size: texts per call of the backend.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: where finished rows are kept.
        code: modules that decide what is made.

    Returns:
        Counts of prompts.
    """
    annotator = ShardAnnotator(entry, batch_size, device, ledger_root, code)

    def describe(texts: Sequence[str]) -> list[dict]:
        scores = annotator.backend.score(texts)
        rows = []
        for number in range(len(texts)):
            found = {key: float(values[number]) for key, values in scores.items()}
            released = found[annotator.backend.released]
            rows.append({"score": released, "scores": sorted(found.items())})
        return rows

    return annotator.annotate_texts(prompts, index, output, TEXT_NSFW, describe)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = score_texts(
            prompts=Path(snakemake.input.prompts),
            index=Path(snakemake.input.index),
            output=Path(snakemake.output.annotations),
            entry=snakemake.params.entry,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            code=snakemake.input.code,
        )
        log.finish(counts)
