"""Videos as queries: the frames along one, taken together."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scripts.common.schemas.items import OK
from scripts.trace.feature_tables import dimension_of, read_pictures, read_vectors

_ROWS = 8_192


def prompt_of(frames: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return of which prompt's video frames along it are, from their names."""
    return pc.replace_substring_regex(frames, r"\.\d+$", "")


def fuse_frames(paths: Sequence[Path]) -> tuple[pa.Table, np.ndarray]:
    """Return the videos of some frames along them, and what describes each.

    The mean of the cosines of a video's frames with a reference is the inner product of the mean
    of their unit vectors with it: so the search is as exact as that of single frames. A frame that
    was not described is left out; a video of none has the reason of its first.

    Args:
        paths: shards of the features of frames, ``<uuid>.<frame>``, sorted.

    Returns:
        uuid, role, status and reason of each video, sorted; and float32 of shape (videos that were
        described, dimension), whose rows are shorter than 1 the more the frames differ.
    """
    frames = read_pictures(paths)
    prompts = prompt_of(frames["uuid"]).combine_chunks().dictionary_encode()
    numbers = prompts.indices.to_numpy()
    firsts = np.unique(numbers, return_index=True)[1]
    is_there = pc.equal(frames["status"], OK).to_numpy()
    counts = np.bincount(numbers, weights=is_there, minlength=len(firsts))
    sums = np.zeros((len(firsts), dimension_of(paths)), np.float32)
    done, mine = 0, numbers[is_there]
    for block in read_vectors(paths, _ROWS):
        np.add.at(sums, mine[done : done + len(block)], block)
        done += len(block)
    described = counts > 0
    found, kept = np.unique(mine, return_index=True)
    firsts[found] = np.flatnonzero(is_there)[kept]  # of its first frame that was described
    videos = frames.take(firsts).set_column(0, frames.schema.field("uuid"), prompts.dictionary)
    return videos, sums[described] / counts[described, None].astype(np.float32)
