"""How often models are right by what TIP-ID's test videos are: their source, overlay and length."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common.schemas.detect import CLASSES
from scripts.common.schemas.items import ITEM_INDEX, OK
from scripts.common.schemas.watermark import WATERMARKS
from scripts.common.tables import read_frame

LENGTHS = {"under 2 s": 2.0, "2 to 4 s": 4.0, "4 to 6 s": 6.0, "6 s and more": np.inf}
"""Group -> the duration below which a video is in it, and in none before."""
BY = ("source", "overlay", "length")
OVERLAYS = {True: "image prompt with an overlay", False: "image prompt without one"}


def describe_videos(
    indexes: Mapping[str, Sequence[Path]], watermarks: Sequence[Path], generators: Sequence[str]
) -> pd.DataFrame:
    """Return the groups of each video that is there: source, uuid and a column for each of ``BY``.

    Args:
        indexes: source -> the indexes of its videos.
        watermarks: tables of ``WATERMARKS``, of the image prompts.
        generators: the sources whose videos are made of image prompts; others have no overlay.
    """
    marked = pd.concat(read_frame(path, WATERMARKS, ["uuid", "has_overlay"]) for path in watermarks)
    overlay = marked.set_index("uuid")["has_overlay"].map(OVERLAYS)
    columns = ["uuid", "duration_s", "status"]
    parts = [
        read_frame(path, ITEM_INDEX, columns).assign(source=source)
        for source, paths in indexes.items()
        for path in paths
    ]
    videos = pd.concat(parts)
    videos = videos[videos["status"] == OK].drop(columns="status")
    edges = [-np.inf, *LENGTHS.values()]
    lengths = pd.cut(videos["duration_s"], edges, right=False, labels=list(LENGTHS))
    is_ours = videos["source"].isin(generators)
    return videos.assign(
        length=lengths.astype(str), overlay=videos["uuid"].map(overlay).where(is_ours)
    )


def right_by_group(
    scored: pd.DataFrame, videos: pd.DataFrame, real_sources: Sequence[str]
) -> dict[tuple[str, str], tuple[float, int]]:
    """Return how often a model is right in each group.

    Args:
        scored: rows of ``FRAME_SCORES`` or of ``CLASS_SCORES``, of one model.
        videos: from ``describe_videos``.
        real_sources: of a frame's score, those whose videos are not generated.

    Returns:
        one of ``BY``, and the group -> share of right answers, and how many answers there are.
    """
    scored = scored[scored["status"] == OK]
    if "score" in scored:
        is_right = (scored["score"] > 0.5) != scored["source"].isin(real_sources)
    else:
        outputs = scored[[f"p_{name}" for name in CLASSES]].to_numpy()
        is_right = np.array(CLASSES)[outputs.argmax(axis=1)] == scored["label"].to_numpy()
    table = scored[["source", "uuid"]].assign(is_right=is_right)
    table = table.merge(videos, on=["source", "uuid"], how="left")
    return {
        (by, group): (float(rows["is_right"].mean()), len(rows))
        for by in BY
        for group, rows in table.groupby(by)
    }
