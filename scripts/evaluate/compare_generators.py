"""Compare the generators on the same prompts: means, ranks and how far both can be told apart."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.evaluate import LEADERBOARD, SCORES
from scripts.common.schemas.items import OK
from scripts.common.tables import read_frame, write_table

RESAMPLES = 2000
CERTAIN = 95
"""Per cent of the resamples that an interval holds."""
SHOWN = 1.9600 + 0.8416
"""Standard errors that a difference must have to be found at 5 % in four of five studies."""


def compare_generators(
    scores: Sequence[Path],
    leaderboard: Path,
    *,
    dimensions: Sequence[str],
    generators: Sequence[str],
    seed: int,
) -> Counts:
    """Write each generator's mean and rank in each dimension, with intervals.

    All generators animate the same prompts, some of which are easier than others: prompts are drawn
    anew (bootstrap), each with all of its videos, so that what they have in common does not blur
    the comparison. Only prompts that every generator has a score of are compared.

    Args:
        scores: tables of ``SCORES``.
        leaderboard: where the table goes (``LEADERBOARD``).
        dimensions: in the order of the rows...
        generators: ...and within each of them.
        seed: of the resamples.

    Returns:
        Counts of prompts and dimensions; those without a score of some generator are left out.
    """
    table = read_frame(scores, SCORES)
    rows, counts = [], Counts(declared=0)
    for dimension in dimensions:
        own = table[table["metric"] == dimension]
        own = own.assign(value=own["value"].where(own["status"] == OK))
        wide = own.pivot(index="item", columns="generator", values="value")
        wide = wide.reindex(columns=list(generators))
        paired = wide.dropna()
        rows += list(_rows(dimension, paired, np.random.default_rng(seed)))
        counts.declared += len(wide)
        counts.keep(len(paired))
        if len(wide) > len(paired):
            counts.reject("not_scored_for_all", len(wide) - len(paired))
    write_table(rows, leaderboard, LEADERBOARD)
    return counts


def _rows(dimension: str, paired: pd.DataFrame, draw: np.random.Generator) -> Iterator[dict]:
    if not len(paired):
        return
    means, ranks = resample(paired.to_numpy(), draw)
    tails = (100 - CERTAIN) / 2, (100 + CERTAIN) / 2
    low, high = np.percentile(means, tails, axis=0)
    first, last = np.percentile(ranks, tails, axis=0, method="nearest")
    ranking = ranks_of(paired.to_numpy().mean(axis=0)[None])[0]
    smallest = smallest_difference(paired.to_numpy())
    for number, generator in enumerate(paired.columns):
        yield {
            "dimension": dimension,
            "generator": generator,
            "items": len(paired),
            "mean": paired[generator].mean(),
            "low": low[number],
            "high": high[number],
            "rank": int(ranking[number]),
            "rank_low": int(first[number]),
            "rank_high": int(last[number]),
            "smallest_difference": smallest,
        }


def resample(scores: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the generators' means and ranks in resamples of the prompts.

    Args:
        scores: of shape (prompts, generators).
        draw: the resamples.

    Returns:
        Two arrays of shape (resamples, generators).
    """
    count = len(scores)
    # One after the other: 2,000 resamples of 10,000 prompts would take 160 MB at once.
    drawn = (draw.integers(count, size=count) for _ in range(RESAMPLES))
    means = np.stack([np.bincount(one, minlength=count) @ scores / count for one in drawn])
    return means, ranks_of(means)


def ranks_of(means: np.ndarray) -> np.ndarray:
    """Return ranks from 1, the highest mean, within each row; equal means share the best rank."""
    return 1 + (means[:, None, :] > means[:, :, None]).sum(axis=2)


def smallest_difference(scores: np.ndarray) -> float | None:
    """Return the difference of two generators' means that so many prompts can show.

    One of this size is found at the level of 5 % (two-sided, paired) in 80 % of studies, whichever
    two generators are compared: the pair whose differences spread most decides.

    Args:
        scores: of shape (prompts, generators).
    """
    count, generators = scores.shape
    if count < 2 or generators < 2:
        return None
    largest = max((a - b).std(ddof=1) for a, b in combinations(scores.T, 2))
    return float(SHOWN * largest / np.sqrt(count))


if __name__ == "__main__":
    run_job(compare_generators, snakemake)
