"""Collect the pictures by which scores are normalised: source images that no query has."""

from collections.abc import Sequence
from pathlib import Path

from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.split import TRACE_IMAGES, TRACE_PROMPTS, TRAIN
from scripts.common.schemas.trace import BACKGROUND
from scripts.common.tables import read_frame, write_table
from scripts.split.indexes import items_there, read_items
from scripts.split.ranks import first_ranked


def collect_background(
    prompts: Path,
    image_indexes: Sequence[Path | str],
    background: Path,
    *,
    image_tars: Sequence[str],
    max_images: int,
    seed: int,
) -> Counts:
    """Choose source images of TIP-Trace's training prompts, by seeded rank.

    The challenge takes its training set as well: pictures that are neither references nor theirs.

    Args:
        prompts: TIP-Trace's prompts (``TRACE_PROMPTS``).
        image_indexes: indexes of the image prompts (``ITEM_INDEX``).
        background: output (``TRACE_IMAGES``), role background.
        image_tars: the tar beside each of ``image_indexes``.
        max_images: pictures at most.
        seed: of the run.

    Returns:
        Counts of pictures.
    """
    table = read_frame(prompts, TRACE_PROMPTS)
    wanted = set(table.loc[table["part"] == TRAIN, "uuid"])
    images = read_items(image_indexes, image_tars, wanted)
    images["reason"] = images["reason"].replace("no_video", "no_image")
    there, counts = items_there(images)
    chosen = first_ranked(there["uuid"], max_images, seed, "tip_trace", BACKGROUND)
    counts.kept = len(chosen)
    counts.reject("not_drawn", len(there) - len(chosen))
    rows = there.loc[there["uuid"].isin(chosen)]
    rows = rows[["uuid", "tar", "offset", "size_bytes", "sha256"]].assign(role=BACKGROUND)
    write_table(rows, background, TRACE_IMAGES)
    return counts


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = collect_background(
            Path(snakemake.input.prompts),
            snakemake.input.image_indexes,
            Path(snakemake.output.background),
            **snakemake.params,
        )
        log.finish(counts)
