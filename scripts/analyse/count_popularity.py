"""How often each subject and each direction is asked for (Section 5.1)."""

from pathlib import Path

import pandas as pd

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import DIRECTION, POPULARITY, SUBJECT
from scripts.common.tables import read_frame, write_table


def count_popularity(dataset: Path, popularity: Path) -> Counts:
    """Count the data set's subjects and directions (Supplement 10).

    'Gather all extracted verbs; and rank them by frequency': each verb of a prompt counts. Prompts
    without a subject or verb are left out of the shares.

    Args:
        dataset: the data set; columns ``Subject`` (merged, may be empty) and ``Direction`` (verbs
            in base form, separated by commas, may be empty).
        popularity: table of ``POPULARITY``.

    Returns:
        Counts of prompts, kept if they name a subject or a direction.
    """
    rows = read_frame(dataset, columns=["Subject", "Direction"]).fillna("")
    verbs = rows["Direction"].str.split(",").explode()
    parts = [
        rank_names(names).assign(kind=kind)
        for kind, names in ((SUBJECT, rows["Subject"]), (DIRECTION, verbs))
    ]
    write_table(pd.concat(parts)[POPULARITY.names], popularity, POPULARITY)
    counts = Counts(declared=len(rows))
    named = (rows["Subject"].str.strip() != "") | (rows["Direction"].str.strip(" ,") != "")
    counts.keep(int(named.sum()))
    counts.reject("neither_subject_nor_direction", int((~named).sum()))
    return counts


def rank_names(names: pd.Series) -> pd.DataFrame:
    """Return how often each name occurs, most frequent first.

    Args:
        names: one name for each mention; empty and missing ones are not counted.

    Returns:
        ``name, count, rank, cumulative_share``; ties stand in the order of names, so that the
        same names give the same table.
    """
    names = names.dropna().str.strip()
    counts = names[names != ""].value_counts().rename_axis("name").reset_index(name="count")
    counts = counts.sort_values(["count", "name"], ascending=[False, True], ignore_index=True)
    counts["rank"] = range(1, len(counts) + 1)
    # The last share is 1 exactly: the sum of integers is divided once, not shares summed up.
    counts["cumulative_share"] = counts["count"].cumsum() / max(1, counts["count"].sum())
    return counts


if __name__ == "__main__":
    run_job(count_popularity, snakemake)
