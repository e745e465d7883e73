"""Score the middle frame of one source's test videos with one detector (Section 5.3, Table 3)."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.code import code_checksum
from scripts.common.errors import Rejected
from scripts.common.fingerprints import fingerprint
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.detect import FRAME_SCORES, SCORED_VIDEOS
from scripts.common.schemas.split import TEST
from scripts.common.tables import write_table
from scripts.common.video import read_frames
from scripts.detect.tip_id import Source, SourceFiles, Video, complete_by_content


def score_frames(
    files: SourceFiles,
    scores: Path,
    *,
    entry: Mapping[str, Any],
    batch_size: int,
    device: str = "auto",
    what: str = "frames",
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write a detector's scores of the middle frames of a source's test videos.

    The paper gives detectors of single pictures the middle frame of each video; of n frames that
    is number n // 2, counted from 0.

    Args:
        files: the source's table of TIP-ID (``TIP_ID``), tars and indexes.
        scores: ``FRAME_SCORES``, one row for each test video.
        entry: the detector's entry in config/detectors.yaml.
        batch_size: frames per call of the detector.
        device: cpu, cuda or auto.
        what: name of the progress bar.
        ledger_root: where finished scores are kept.
    """
    source = Source(files, TEST)
    detector = cache(lambda: load_backend(entry, device=device))

    def score(videos: Sequence[Video]) -> list[dict[str, float] | Rejected]:
        frames = [_middle_frame(source, video) for video in videos]
        readable = [frame for frame in frames if not isinstance(frame, Rejected)]
        found = iter(detector().score(readable) if readable else ())
        return [
            frame if isinstance(frame, Rejected) else {"score": float(next(found))}
            for frame in frames
        ]

    name = fingerprint(
        entry=entry,
        code=code_checksum("scripts/detect/score_frames.py", entry["backend"], plumbing=False),
    )
    folder = ledger_root / "detect" / name / Path(files.split).stem
    with RowLedger(folder, SCORED_VIDEOS, key="sha256") as ledger:
        rows = complete_by_content(ledger, source.videos, score, batch_size=batch_size, what=what)
    write_table(rows, scores, FRAME_SCORES)
    counts = Counts.of_statuses({row["uuid"]: row["reason"] for row in rows})
    counts.declared = len(source.videos)
    return counts


def _middle_frame(source: Source, video: Video) -> np.ndarray | Rejected:
    try:
        return read_frames(source.read(video), [video.frames // 2])[0]
    except Rejected as error:
        return error


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = score_frames(
            SourceFiles(snakemake.input.split, snakemake.input.tars, snakemake.input.indexes),
            Path(snakemake.output.scores),
            entry=snakemake.params.entry,
            batch_size=snakemake.params.batch_size,
            device=snakemake.params.device,
            what=f"{snakemake.wildcards.detector} {snakemake.wildcards.source}",
        )
        log.finish(counts)
