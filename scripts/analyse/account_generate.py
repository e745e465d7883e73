"""The account of generate: the choice of prompts, and each generator's videos (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scripts.analyse.steps import follow, index_outcomes, listed, write_account
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.generate import CHOSEN
from scripts.common.tables import read_frame

STAGE = "generate"


def account_generate(
    dataset: Path, chosen: Path, indexes: Mapping[str, Sequence[Path]], account: Path
) -> Counts:
    """Follow every prompt into the choice, and every chosen one through each generator.

    Args:
        dataset: what was chosen from, such as the data set; column ``UUID``.
        chosen: the chosen prompts (``CHOSEN``).
        indexes: generator (neither scraped nor released) -> indexes of its videos (``ITEM_INDEX``).
        account: table of ``ACCOUNT``.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    uuids = read_frame(dataset, columns=["UUID"])["UUID"]
    wanted = read_frame(chosen, CHOSEN, ["uuid"])["uuid"]
    choice = listed(wanted, pd.Series("not_drawn", index=pd.Index(uuids), dtype=object))
    steps = [follow(STAGE, "choose_prompts", "prompts", uuids, choice)]
    steps += [
        follow(STAGE, "generate_videos", "videos", wanted, index_outcomes(paths), part=generator)
        for generator, paths in indexes.items()
    ]
    return write_account(steps, account)


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = account_generate(
            dataset=Path(snakemake.input.dataset),
            chosen=Path(snakemake.input.chosen),
            indexes=snakemake.params.indexes,
            account=Path(snakemake.output.account),
        )
        log.finish(counts)
