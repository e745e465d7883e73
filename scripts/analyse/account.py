"""The account of the whole graph: what each step read, kept and rejected, and why."""

from collections.abc import Sequence
from pathlib import Path

from scripts.analyse.csv_files import write_csv
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import ACCOUNT
from scripts.common.tables import read_frame


def account(accounts: Sequence[Path], funnel: Path, *, banner: str) -> Counts:
    """Put the stages' accounts together, and check each sum once more, from the rows alone.

    Args:
        accounts: tables of ``ACCOUNT``, in the order of the stages.
        funnel: the CSV to write: the columns of ``ACCOUNT``.
        banner: a line put on top.

    Returns:
        Counts of steps.

    Raises:
        UserError: read is not kept + rejected, or the reasons do not add up to rejected; the step
            is named.
    """
    rows = read_frame(accounts, ACCOUNT)
    steps = rows.groupby(["stage", "step", "part"], sort=False)
    for (_, step, part), reasons in steps:
        first = reasons.iloc[0]
        title = f"account of {step} {part}".strip()
        if first["read"] != first["kept"] + first["rejected"]:
            raise UserError(
                f"{title}: read {first['read']:,} is not kept {first['kept']:,} + rejected "
                f"{first['rejected']:,}; delete the step's outputs and run again"
            )
        if reasons["count"].sum() != first["rejected"]:
            raise UserError(
                f"{title}: the reasons add up to {reasons['count'].sum():,}, not to rejected "
                f"{first['rejected']:,}; delete results/analysis/account and run again"
            )
    write_csv(funnel, ACCOUNT.names, rows.astype(str).to_numpy().tolist(), banner)
    return Counts(kept=steps.ngroups)


if __name__ == "__main__":
    run_job(account, snakemake, funnel=Path(snakemake.output.csv))
