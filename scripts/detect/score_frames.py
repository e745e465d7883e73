"""Score the middle frames of sources' test videos with every detector (Section 5.3, Table 3)."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.engine import ledger_key
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.roles import Detector
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import FRAME_SCORES
from scripts.common.schemas.split import REAL
from scripts.common.video import read_frames
from scripts.detect.tip_id import Source, needed_tests
from scripts.detect.video_scores import Scorer, score_sources

SCRIPT = "scripts/detect/score_frames.py"


def score_frames(
    scores: Sequence[Path],
    *,
    sources: Mapping[str, Mapping[str, Any]],
    entries: Mapping[str, Mapping[str, Any]],
    splits: Sequence[Path],
    max_per_class: int,
    seed: int,
    batch_size: int,
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the detectors' scores of the middle frames of sources' test videos.

    The paper gives detectors of single pictures the middle frame of each video; of n frames that
    is number n // 2, counted from 0. It is decoded once for all detectors.

    Args:
        scores: ``FRAME_SCORES`` of each source, one row for each detector and test video.
        sources: name -> the arguments of ``Source``.
        entries: detector -> its backend, weights and settings.
        splits: tables of TIP-ID of all sources, by which it is known what test sets use.
        max_per_class: test videos of a class in a test set at most.
        seed: of the run.
        batch_size: frames per call of a detector.
        device: cpu, cuda or auto.
        threads: that decode.
        ledger_root: where finished scores are kept.

    Raises:
        UserError: weights or an input are missing, or nothing could be scored.
    """
    scorers = [
        Scorer(
            columns={"detector": name},
            key=ledger_key(SCRIPT, entry, name=name),
            load=cache(partial(load_backend, entry, device=device)),
            score=_score,
        )
        for name, entry in entries.items()
    ]
    return score_sources(
        sources,
        scores,
        lambda source: scorers,
        _middle_frame,
        schema=FRAME_SCORES,
        columns=["detector"],
        values=["score"],
        needed=needed_tests(splits, [REAL], max_per_class, seed),
        batch_size=batch_size,
        threads=threads,
        ledger_root=ledger_root,
    )


def _middle_frame(source: Source, uuid: str) -> np.ndarray:
    video = source[uuid]
    return read_frames(source.read(video), [video.frames // 2])[0]


def _score(detector: Detector, frames: Sequence[np.ndarray]) -> np.ndarray:
    return detector.score(frames)


if __name__ == "__main__":
    run_job(score_frames, snakemake)
