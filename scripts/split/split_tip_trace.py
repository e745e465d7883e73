"""Split the subset's prompts into TIP-Trace's training and query prompts (Supplement 15)."""

from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.split import QUERY, TRACE_PROMPTS, TRAIN
from scripts.common.tables import read_frame, write_table
from scripts.split.ranks import first_ranked


def split_tip_trace(chosen: Path, prompts: Path, *, query_prompts: int, seed: int) -> Counts:
    """Split the subset's prompts by seeded rank, the same for every generator.

    Args:
        chosen: the chosen prompts (``CHOSEN``).
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
    parts = {True: QUERY, False: TRAIN}
    rows = [{"uuid": uuid, "part": parts[uuid in queries]} for uuid in uuids]
    write_table(rows, prompts, TRACE_PROMPTS)
    return Counts(kept=len(rows), declared=len(uuids))


if __name__ == "__main__":
    run_job(split_tip_trace, snakemake)
