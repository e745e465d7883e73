"""Score the middle frame of one source's test videos with every detector (Section 5.3, Table 3)."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.code import settings_of
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.roles import Detector
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.detect import FRAME_SCORES
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import TEST
from scripts.common.tables import write_table
from scripts.common.video import read_frames
from scripts.detect.tip_id import Source, SourceFiles

SCRIPT = "scripts/detect/score_frames.py"


def score_frames(
    files: SourceFiles,
    scores: Path,
    *,
    entries: Mapping[str, Mapping[str, Any]],
    batch_size: int,
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the detectors' scores of the middle frames of a source's test videos.

    The paper gives detectors of single pictures the middle frame of each video; of n frames that
    is number n // 2, counted from 0. It is decoded once for all detectors.

    Args:
        files: the source's table of TIP-ID (``TIP_ID``), tars and indexes.
        scores: ``FRAME_SCORES``, one row for each detector and test video.
        entries: detector -> its backend, weights and settings.
        batch_size: frames per call of a detector.
        device: cpu, cuda or auto.
        threads: that decode.
        ledger_root: where finished scores are kept.

    Raises:
        UserError: weights or an input are missing, or nothing could be scored.
    """
    source = Source(files, TEST)

    def read(uuid: str) -> np.ndarray:
        video = source[uuid]
        return read_frames(source.read(video), [video.frames // 2])[0]

    def task(name: str, entry: Mapping[str, Any]) -> Task:
        folder = ledger_root / "detect" / ledger_key(SCRIPT, entry, name=name) / source.name
        return Task(
            name=name,
            items=source.versions,
            faults=source.missing(),
            ledger=RowLedger(folder, FRAME_SCORES),
            load=partial(load_backend, entry, device=device),
            work=_score,
            finish=partial(_finish, source.name, name),
            batch_size=batch_size,
            failure="scoring_failed",
        )

    tasks = [task(name, entry) for name, entry in entries.items()]
    run(tasks, read, what=f"score {source.name}", workers=threads)
    rows = [
        row for each in tasks for row in each.rows(partial(_row, source.name, each.name)).to_list()
    ]
    write_table(rows, scores, FRAME_SCORES, sort_by=["detector", "uuid"])
    counts = Counts.of_statuses({(row["detector"], row["uuid"]): row["reason"] for row in rows})
    counts.declared = len(source.videos) * len(tasks)
    counts.notes = [f"{each.name}: {note}" for each in tasks for note in each.notes]
    return counts


def _score(detector: Detector, frames: Sequence[np.ndarray]) -> np.ndarray:
    return detector.score(frames)


def _finish(source: str, detector: str, uuid: str, score: float) -> dict | Rejected:
    if not math.isfinite(score):
        return Rejected("not_a_number")
    return _row(source, detector, uuid) | {"score": float(score)}


def _row(source: str, detector: str, uuid: str, reason: str | None = None) -> dict:
    return {
        "uuid": uuid,
        "source": source,
        "detector": detector,
        "score": None,
        "status": OK if reason is None else REJECTED,
        "reason": reason,
    }


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = score_frames(
            SourceFiles(snakemake.input.split, snakemake.input.tars, snakemake.input.indexes),
            Path(snakemake.output.scores),
            **settings_of(snakemake.params),
            threads=snakemake.threads,
        )
        log.finish(counts)
