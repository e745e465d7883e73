"""Split one source's videos into TIP-ID's training and test set (Supplement 13)."""

from collections.abc import Sequence
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.split import IMAGE_GENERATED, REAL, TEST, TIP_ID, TRAIN
from scripts.common.tables import read_frame, write_table
from scripts.split.indexes import items_there, read_items
from scripts.split.ranks import held_out


def split_tip_id(
    indexes: Sequence[Path],
    split: Path,
    *,
    source: str,
    label: str,
    tars: Sequence[str],
    test_share: float,
    seed: int,
    chosen: Path | None = None,
) -> Counts:
    """Split one source's videos, so that nothing is known from training.

    What stays on one side is the prompt for videos generated from images (other generators
    animate the same image), the source video for real segments, and the item for videos generated
    from text. A prompt's side follows from the chosen prompts alone: it is the same for every
    generator, whatever videos are there, and another generator changes no other file.

    Args:
        indexes: the source's indexes (``ITEM_INDEX``).
        split: output (``TIP_ID``): the videos that are there.
        source: name of the generator or of the outside source.
        label: real, text_generated or image_generated.
        tars: the tar beside each index.
        test_share: share of prompts, source videos or items in the test set; the paper's is 0.1.
        seed: of the run.
        chosen: the chosen prompts (``CHOSEN``), if the source is a generator.

    Raises:
        UserError: a real segment does not name its source video.
    """
    subset = None
    if label == IMAGE_GENERATED:
        prompts = read_frame(chosen, CHOSEN, ["uuid", "subset"])
        subset = set(prompts.loc[prompts["subset"], "uuid"])
    items = read_items(indexes, tars, subset)
    if label != REAL:
        items["group"] = items["uuid"]
    videos, counts = items_there(items)
    nameless = videos.loc[videos["group"].isna(), "uuid"]
    if len(nameless):
        raise UserError(
            f"{indexes[0]}: item {nameless.iloc[0]} has no 'group'; name the source video of each "
            "real segment there, or the item itself if it is whole"
        )
    test = held_out(items["group"].dropna(), test_share, seed, "tip_id")
    sides = videos["group"].isin(test).map({True: TEST, False: TRAIN})
    rows = videos[["uuid", "group", "tar", "offset", "size_bytes"]]
    write_table(rows.assign(label=label, source=source, split=sides), split, TIP_ID)
    return counts


if __name__ == "__main__":
    run_job(split_tip_id, snakemake)
