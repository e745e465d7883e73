"""Sum up the scores of all videos: one mean per dimension and generator (Table 7, Figure 6)."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.evaluate import (
    EVALUATION_SUMMARY,
    MEAN,
    MEAN_BY_FRAMES,
    MEAN_HIGH,
    MEAN_LOW,
    SCORES,
)
from scripts.common.schemas.items import OK
from scripts.common.tables import read_frame, write_table


def summarise_evaluation(
    scores: Sequence[Path], summary: Path, *, dimensions: Sequence[str], generators: Sequence[str]
) -> Counts:
    """Write the mean score of each generator in each dimension.

    In ``mean``, which tables and figures show, every video counts the same; in ``mean_by_frames``
    each by its number of frames, as VBench's consistency dimensions count on one GPU (on several
    they do as ``mean``). The two agree where all videos of a generator have one length. The interval
    is that of the mean, 1.96 standard errors to each side; a single video has none.

    Args:
        scores: tables of ``SCORES``.
        summary: where the table goes (``EVALUATION_SUMMARY``).
        dimensions: in the order of the table's rows...
        generators: ...and within each of them.
    """
    table = read_frame(scores, SCORES)
    groups = dict(list(table.groupby(["metric", "generator"])))
    rows = []
    for dimension in dimensions:
        for generator in generators:
            wanted = groups.get((dimension, generator), table.iloc[:0])
            scored = wanted[wanted["status"] == OK]
            shared = {
                "dimension": dimension,
                "generator": generator,
                "items": len(scored),
                "rejected": len(wanted) - len(scored),
                "remarked": int(scored["remark"].notna().sum()),
            }
            mean, error = scored["value"].mean(), 1.96 * scored["value"].sem()
            means = {MEAN: mean, MEAN_LOW: mean - error, MEAN_HIGH: mean + error,
                     MEAN_BY_FRAMES: _weighed(scored)}  # fmt: skip
            for metric, value in means.items():
                known = value if len(scored) and not math.isnan(value) else None
                rows.append(shared | {"metric": metric, "value": known})
    # Without sorting: the order is that of the configuration, which tables and figures follow.
    write_table(rows, summary, EVALUATION_SUMMARY)
    kept, reasons = int((table["status"] == OK).sum()), Counter(table["reason"].dropna())
    return Counts(kept, reasons, declared=len(table))


def _weighed(scored: pd.DataFrame) -> float:
    """Return the mean of scores, each weighed by its video's frames."""
    return (scored["value"] * scored["frames"]).sum() / max(scored["frames"].sum(), 1)


if __name__ == "__main__":
    run_job(summarise_evaluation, snakemake)
