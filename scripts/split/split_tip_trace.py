"""Split the subset's prompts into TIP-Trace's training and query prompts (Supplement 15)."""

from collections.abc import Sequence
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.split import QUERY, TRACE_PROMPTS, TRAIN
from scripts.common.tables import read_frame, write_table
from scripts.split.indexes import read_items
from scripts.split.ranks import first_ranked


def split_tip_trace(
    chosen: Path, image_indexes: Sequence[Path], prompts: Path, *, query_prompts: int, seed: int
) -> Counts:
    """Split the subset's prompts by seeded rank, the same for every generator.

    People animate one picture with many prompts: a training prompt whose image is, byte for byte,
    that of a query prompt is left out.

    Args:
        chosen: the chosen prompts (``CHOSEN``).
        image_indexes: indexes of the image prompts (``ITEM_INDEX``).
        prompts: output (``TRACE_PROMPTS``).
        query_prompts: prompts held out for queries; the paper's are 10,000 of 100,000.
        seed: of the run.

    Raises:
        UserError: no prompt would be left for training.
    """
    table = read_frame(chosen, CHOSEN, ["uuid", "subset"])
    uuids = table.loc[table["subset"], "uuid"]
    if query_prompts >= len(uuids):
        raise UserError(
            f"split.tip_trace.query_prompts is {query_prompts:,} and the subset has "
            f"{len(uuids):,} prompts, so none would be left for training; lower it"
        )
    queries = first_ranked(uuids, query_prompts, seed, "tip_trace")
    images = read_items(image_indexes, list(map(str, image_indexes)), set(uuids))
    images["part"] = images["uuid"].isin(queries).map({True: QUERY, False: TRAIN})
    asked = images.loc[images["part"] == QUERY, "sha256"].dropna()
    shown = (images["part"] == TRAIN) & images["sha256"].isin(asked)
    write_table(images.loc[~shown, ["uuid", "part"]], prompts, TRACE_PROMPTS)
    counts = Counts(kept=int((~shown).sum()), declared=len(uuids))
    counts.reject("same_bytes", int(shown.sum()))
    return counts


if __name__ == "__main__":
    run_job(split_tip_trace, snakemake)
