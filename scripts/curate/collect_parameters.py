"""Put what users asked Pika for beside the data set: camera, motion, frame rate and the like."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.prompts import PARAMETERS, PROMPTS
from scripts.common.tables import read_table, write_table


def collect_parameters(prompts: Sequence[Path], dataset: Path, parameters: Path) -> Counts:
    """Write the options of each prompt of the data set, null where one was not given.

    They are those of the earliest message with the prompt, whose video is looked for first, and
    are the ground truth for whether a video does what was asked.

    Args:
        prompts: tables of ``PROMPTS``.
        dataset: the data set, with a column ``UUID``.
        parameters: table of ``PARAMETERS``: the data set's rows, sorted by UUID.

    Returns:
        Counts of the data set's rows.
    """
    wanted = pl.read_parquet(dataset, columns=["UUID"])
    columns = [name for name in PARAMETERS.names if name != "UUID"]
    asked = pl.from_arrow(read_table(prompts, PROMPTS, ["uuid", *columns]))
    table = asked.rename({"uuid": "UUID"}).join(wanted, on="UUID", how="semi")
    write_table(table.to_arrow(), parameters, PARAMETERS, sort_by=["UUID"])
    return Counts(kept=table.height, declared=wanted.height)


if __name__ == "__main__":
    run_job(collect_parameters, snakemake)
