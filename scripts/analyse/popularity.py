"""How often names occur: counts, ranks, and what share the most frequent ones have."""

import pandas as pd


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


def names_for(shares: pd.Series, wanted: float) -> int:
    """Return how many of the most frequent names have at least the share ``wanted`` together."""
    return int((shares < wanted - 1e-12).sum()) + 1
