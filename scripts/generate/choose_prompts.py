"""Choose the prompts that every generator animates: a uniform subset, and TIP-Eval (Section 3)."""

from pathlib import Path

from scripts.common.identity import seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.tables import read_frame, write_table


def choose_prompts(
    dataset: Path, tip_eval: Path, chosen: Path, *, prompts: int, seed: int
) -> Counts:
    """Choose the prompts that every generator animates.

    The subset depends on each prompt's own rank, so that a data set that grows keeps what was
    chosen of it as far as possible. Fewer prompts than asked for: all of them.

    Args:
        dataset: the data set, columns ``UUID``, ``Text_Prompt``.
        tip_eval: TIP-Eval's prompts (``TIP_EVAL``), which every generator gets as well.
        chosen: output (``CHOSEN``).
        prompts: size of the subset; the paper's is 100,000.
        seed: of the run.
    """
    table = read_frame(dataset, columns=["UUID", "Text_Prompt"])
    table.columns = ["uuid", "prompt"]
    subset = seeded_order(table["uuid"], seed, "subset")[:prompts]
    evaluated = read_frame(tip_eval, TIP_EVAL, ["uuid"])["uuid"]
    is_in = table["uuid"].isin
    table = table.assign(subset=is_in(subset), tip_eval=is_in(evaluated))
    wanted = table[table["subset"] | table["tip_eval"]]
    write_table(wanted, chosen, CHOSEN)
    counts = Counts(kept=len(wanted), declared=len(table))
    counts.reject("not_drawn", len(table) - len(wanted))
    if len(subset) < prompts:
        counts.notes.append(
            f"generate.prompts asks for {prompts:,} prompts and the data set has "
            f"{len(table):,}: all of them are taken"
        )
    return counts


if __name__ == "__main__":
    run_job(choose_prompts, snakemake)
