"""Extract the verbs of each text prompt of one shard (Supplement 10)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.annotate.shard_annotation import Rejection, ShardAnnotator
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import DIRECTION


def tag_directions(
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
    """Write the verbs in base form for each prompt that has an image; there may be none.

    Args:
        prompts: table of ``PROMPTS``.
        index: index of the images (``ITEM_INDEX``).
        output: table of ``DIRECTION``.
        entry: entry of config/annotators.yaml with its ``name``; a DirectionTagger.
        batch_size: texts per call of the backend.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: where finished rows are kept.
        code: modules that decide what is made.

    Returns:
        Counts of prompts.
    """
    annotator = ShardAnnotator(entry, batch_size, device, ledger_root, code)

    def describe(texts: Sequence[str]) -> list[dict | Rejection]:
        verbs = annotator.backend.tag(texts)
        return [v if isinstance(v, Rejection) else {"verbs": v} for v in verbs]

    return annotator.annotate_texts(prompts, index, output, DIRECTION, describe)


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = tag_directions(
            prompts=Path(snakemake.input.prompts),
            index=Path(snakemake.input.index),
            output=Path(snakemake.output.annotations),
            entry=snakemake.params.entry,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            code=snakemake.input.code,
        )
        log.finish(counts)
