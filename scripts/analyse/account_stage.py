"""The account of one stage: what each of its steps read, kept and rejected, and why."""

from collections.abc import Sequence
from pathlib import Path

from scripts.analyse.declaration import Step
from scripts.analyse.steps import Follower
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import ACCOUNT
from scripts.common.tables import write_table


def account_stage(account: Path, *, stage: str, steps: Sequence[Step]) -> Counts:
    """Follow every item through the steps of a stage.

    Args:
        account: table of ``ACCOUNT``.
        stage: its name.
        steps: its steps, as they are declared.

    Returns:
        Counts of steps.

    Raises:
        UserError: a sum is off; the step is named.
    """
    follower = Follower()
    rows = [row for step in progress(steps, "steps") for row in follower.follow(step).rows(stage)]
    write_table(rows, account, ACCOUNT)
    return Counts(kept=len(steps))


if __name__ == "__main__":
    run_job(account_stage, snakemake)
