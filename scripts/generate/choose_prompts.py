"""Choose the prompts that every generator animates: a uniform subset, and TIP-Eval (Section 3)."""

from pathlib import Path

import pandas as pd

from scripts.common.code import settings_of
from scripts.common.identity import seeded_order
from scripts.common.rule_log import Counts, rule_log
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
    subset = set(seeded_order(table["UUID"], seed, "subset")[:prompts])
    evaluated = set(read_frame(tip_eval, TIP_EVAL, ["uuid"])["uuid"])
    table = pd.DataFrame(
        {
            "uuid": table["UUID"],
            "prompt": table["Text_Prompt"],
            "subset": table["UUID"].isin(subset),
            "tip_eval": table["UUID"].isin(evaluated),
        }
    )
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
    with rule_log(snakemake.log[0]) as log:
        counts = choose_prompts(
            dataset=Path(snakemake.input.dataset),
            tip_eval=Path(snakemake.input.tip_eval),
            chosen=Path(snakemake.output.chosen),
            **settings_of(snakemake.params),
        )
        log.finish(counts)
