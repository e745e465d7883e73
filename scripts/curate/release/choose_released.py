"""Take the prompts that the released models animated, and the released TIP-Eval (Section 5.2)."""

from pathlib import Path

import pandas as pd

from scripts.common.identity import seeded_order
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.release import RELEASED_SPLITS
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.tables import read_frame, write_table


def choose_released(
    splits: Path, chosen: Path, tip_eval: Path, *, prompts: int, subjects: int, seed: int
) -> Counts:
    """Choose what the authors chose, for only of that there are their videos.

    Args:
        splits: the rows of the released Subset and Eval (``RELEASED_SPLITS``).
        chosen: output (``CHOSEN``): the Subset, or a seeded sample of it, and Eval. Where the
            Subset is not read, the sample is of Eval.
        tip_eval: output (``TIP_EVAL``): Eval, or the prompts of a seeded part of its subjects.
        prompts: size of the sample; the released Subset has 100,000, all of which are then taken.
        subjects: of TIP-Eval; the released Eval has 1,000, all of which are then taken.
        seed: of the run.

    Returns:
        Counts of the prompts of Subset and Eval.
    """
    table = read_frame(splits, RELEASED_SPLITS)
    drawable = table["subset"] if table["subset"].any() else table["tip_eval"]
    released = table.loc[drawable, "UUID"]
    subset = set(seeded_order(released, seed, "subset")[:prompts])
    named = table["Subject"].fillna("").str.strip()
    drawn = set(seeded_order(named[table["tip_eval"]], seed, "tip_eval")[:subjects])
    rows = pd.DataFrame(
        {
            "uuid": table["UUID"],
            "prompt": table["Text_Prompt"],
            "subject": named,
            "subset": table["UUID"].isin(subset),
            "tip_eval": table["tip_eval"] & named.isin(drawn),
        }
    )
    wanted = rows[rows["subset"] | rows["tip_eval"]]
    write_table(wanted[CHOSEN.names], chosen, CHOSEN)
    evaluated = wanted.loc[wanted["tip_eval"], ["uuid", "prompt", "subject"]]
    write_table(evaluated, tip_eval, TIP_EVAL)
    counts = Counts(kept=len(wanted), declared=len(table))
    counts.reject("not_drawn", len(table) - len(wanted))
    return counts


if __name__ == "__main__":
    run_job(choose_released, snakemake)
