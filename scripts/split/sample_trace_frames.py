"""Sample the frames of one generator's videos that train a tracer or are queries (Supplement 15)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common.identity import derived_seed
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import ALONG, QUERY, TRACE_FRAMES, TRACE_PROMPTS
from scripts.common.tables import read_frame, write_table
from scripts.common.video import uniform_indices
from scripts.split.indexes import items_there, read_items
from scripts.split.ranks import first_ranked


def sample_trace_frames(
    prompts: Path,
    indexes: Sequence[Path],
    frames: Path,
    *,
    generator: str,
    tars: Sequence[str],
    frames_per_video: int,
    along: Mapping[str, int],
    seed: int,
) -> Counts:
    """Sample training frames uniformly over each video, and one random frame of each query video.

    Args:
        prompts: TIP-Trace's prompts (``TRACE_PROMPTS``).
        indexes: the generator's indexes (``ITEM_INDEX``).
        frames: output (``TRACE_FRAMES``). A video with fewer than ``frames_per_video`` frames
            gives each of them once.
        generator: name of the generator, which is part of a query frame's seed.
        tars: the tar beside each index.
        frames_per_video: training frames of a video; the paper's are 10.
        along: of so many query ``prompts``, the same for every generator, so many ``frames``
            besides, spread evenly over the video from its first to its last; they are no queries
            and tell how tracing fares along a video. A shorter video has none.
        seed: of the run.

    Returns:
        Counts of videos.
    """
    parts = read_frame(prompts, TRACE_PROMPTS).set_index("uuid")["part"]
    videos, counts = items_there(read_items(indexes, tars, set(parts.index)))
    numbers = [
        [derived_seed(seed, "tip_trace", generator, uuid) % length]
        if parts[uuid] == QUERY
        else np.unique(uniform_indices(length, frames_per_video))
        for uuid, length in zip(videos["uuid"], videos["frames"].astype(int), strict=True)
    ]
    repeats = [len(chosen) for chosen in numbers]
    places = videos[["uuid", "tar", "offset", "size_bytes"]]
    rows = places.loc[places.index.repeat(repeats)].reset_index(drop=True)
    rows["part"] = rows["uuid"].map(parts)
    rows["frame"] = np.concatenate([np.empty(0, np.int64), *numbers])
    queries = parts.index[parts == QUERY]
    followed = first_ranked(queries, along["prompts"], seed, "tip_trace", ALONG)
    is_long = videos["frames"] >= along["frames"]
    lengths = videos.loc[videos["uuid"].isin(followed) & is_long, "frames"].astype(int)
    steps = [
        places.loc[lengths.index].assign(part=ALONG, frame=numbers)
        for numbers in zip(
            *(uniform_indices(length, along["frames"]) for length in lengths), strict=True
        )
    ]
    rows = pd.concat([rows, *steps]).astype({"frame": np.int32})
    write_table(rows, frames, TRACE_FRAMES, sort_by=["uuid", "frame", "part"])
    return counts


if __name__ == "__main__":
    run_job(sample_trace_frames, snakemake)
