"""The account of evaluate: each generator's videos of TIP-Eval in each dimension (Section 5.2)."""

from collections.abc import Sequence
from pathlib import Path

from scripts.analyse.steps import follow, reasons_of, write_account
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.evaluate import SCORES
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.tables import read_frame

STAGE = "evaluate"


def account_evaluate(tip_eval: Path, scores: Sequence[Path], account: Path) -> Counts:
    """Follow every prompt of TIP-Eval through every generator and dimension.

    Args:
        tip_eval: TIP-Eval (``TIP_EVAL``).
        scores: tables of ``SCORES``.
        account: table of ``ACCOUNT``.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    wanted = read_frame(tip_eval, TIP_EVAL, ["uuid"])["uuid"]
    columns = ["generator", "metric", "item", "status", "reason"]
    steps = [
        follow(
            STAGE,
            "score_videos",
            "videos",
            wanted,
            reasons_of(table, key="item"),
            part=f"{generator} {dimension}",
        )
        for (dimension, generator), table in read_frame(scores, SCORES, columns).groupby(
            ["metric", "generator"], sort=False
        )
    ]
    return write_account(steps, account)


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = account_evaluate(
            tip_eval=Path(snakemake.input.tip_eval),
            scores=snakemake.input.scores,
            account=Path(snakemake.output.account),
        )
        log.finish(counts)
