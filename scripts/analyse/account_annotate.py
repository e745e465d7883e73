"""The account of annotate: each annotator, and the data set (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.analyse.steps import (
    follow,
    index_outcomes,
    kept_ids,
    listed,
    reasons_of,
    write_account,
)
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import DATASET_REJECTS
from scripts.common.tables import read_frame

STAGE = "annotate"

RULES = {
    "text_embedding": "embed_texts",
    "image_embedding": "embed_images",
    "text_nsfw": "score_texts",
    "image_nsfw": "score_images",
    "subject": "tag_subjects",
    "direction": "tag_directions",
}
"""Annotation -> the rule that makes it."""


def account_annotate(
    image_indexes: Sequence[Path],
    annotations: Mapping[str, Sequence[Path]],
    dataset: Path,
    dataset_rejects: Path,
    account: Path,
) -> Counts:
    """Follow every prompt with an image through the annotators and into the data set.

    Args:
        image_indexes: of the image prompts (``ITEM_INDEX``).
        annotations: one of ``RULES`` -> its tables, with ``uuid``, ``status``, ``reason``.
        dataset: the data set; column ``UUID``.
        dataset_rejects: table of ``DATASET_REJECTS``.
        account: table of ``ACCOUNT``.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    illustrated = kept_ids(index_outcomes(image_indexes))
    steps = [
        follow(
            STAGE,
            RULES[annotation],
            "prompts",
            illustrated,
            reasons_of(read_frame(tables, columns=["uuid", "status", "reason"])),
        )
        for annotation, tables in annotations.items()
    ]
    uuids = read_frame(dataset, columns=["UUID"])["UUID"]
    rejects = read_frame(dataset_rejects, DATASET_REJECTS, ["uuid", "reason"])
    outcomes = listed(uuids, rejects.set_index("uuid")["reason"])
    steps.append(follow(STAGE, "build_dataset", "prompts", illustrated, outcomes))
    return write_account(steps, account)


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = account_annotate(
            image_indexes=snakemake.input.image_indexes,
            annotations={name: snakemake.input[name] for name in RULES},
            dataset=Path(snakemake.input.dataset),
            dataset_rejects=Path(snakemake.input.dataset_rejects),
            account=Path(snakemake.output.account),
        )
        log.finish(counts)
