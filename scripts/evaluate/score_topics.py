"""Which subjects and directions each generator does well, and which badly (Section 5.2)."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.analyse import DIRECTION, SUBJECT
from scripts.common.schemas.annotate import DATASET
from scripts.common.schemas.evaluate import SCORES, TOPICS
from scripts.common.schemas.items import OK
from scripts.common.tables import read_frame, write_table


def score_topics(
    scores: Sequence[Path],
    dataset: Path,
    topics: Path,
    *,
    dimensions: Sequence[str],
    generators: Sequence[str],
) -> Counts:
    """Write the mean score of each generator's videos of each subject and each direction.

    Dimensions have scales of their own: each score is taken as its distance from the mean of all
    generators' videos in that dimension, in deviations, and a video is worth the mean over its
    dimensions. A prompt of several directions counts for each.

    Args:
        scores: tables of ``SCORES``.
        dataset: table of ``DATASET``.
        topics: where the table goes (``TOPICS``).
        dimensions: that count.
        generators: in the order of the rows.

    Returns:
        Counts of videos.
    """
    table = read_frame(scores, SCORES)
    table = table[table["metric"].isin(dimensions)]
    videos = len(table.drop_duplicates(["generator", "item"]))
    table = table[table["status"] == OK]
    spread = table.groupby("metric")["value"]
    # A dimension in which all videos are alike tells none apart.
    table = table.assign(
        value=(table["value"] - spread.transform("mean")) / spread.transform("std")
    )
    worth = table[spread.transform("std") > 0].groupby(["generator", "item"])["value"].mean()
    worth = worth.reset_index()
    rows = read_frame([dataset], DATASET, ["UUID", "Subject", "Direction"]).set_index("UUID")
    directions = rows["Direction"].dropna().str.split(", ").explode()
    named = {SUBJECT: rows["Subject"].dropna(), DIRECTION: directions[directions != ""]}
    found = []
    for kind, names in named.items():
        own = worth.merge(names.rename("name"), left_on="item", right_index=True)
        means = own.groupby(["name", "generator"])["value"].agg(["mean", "size"])
        found += [
            {"kind": kind, "name": name, "generator": generator, "items": int(row["size"]),
             "score": row["mean"]}
            for (name, generator), row in means.iterrows()
        ]  # fmt: skip
    order = {name: number for number, name in enumerate(generators)}
    found.sort(key=lambda row: (row["kind"] != SUBJECT, row["name"], order[row["generator"]]))
    write_table(found, topics, TOPICS)
    counts = Counts(kept=len(worth), declared=videos)
    counts.reject("not_scored", videos - len(worth))
    return counts


def spread_of(topics: pd.DataFrame, least: int) -> pd.DataFrame:
    """Return scores by name (rows) and generator, best names first, of names that are known well.

    Args:
        topics: rows of ``TOPICS``, of one kind.
        least: videos that every generator must have of a name.
    """
    items = topics.pivot(index="name", columns="generator", values="items")
    known = items.index[(items >= least).all(axis=1)]
    table = topics.pivot(index="name", columns="generator", values="score").loc[known]
    order = table.mean(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order]


if __name__ == "__main__":
    run_job(score_topics, snakemake)
