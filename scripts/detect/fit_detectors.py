"""Fit the detectors that see clips, on training videos of TIP-ID (beyond the paper)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected, UserError
from scripts.common.identity import derived_seed
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import CLIP_NUMBERS
from scripts.common.schemas.split import REAL
from scripts.common.seen import write_seen
from scripts.detect.score_frames import SeenVideo
from scripts.detect.videomae_training import TrainingVideos

SCRIPT = "scripts/detect/fit_detectors.py"


def fit_detectors(
    fitted: Sequence[Path],
    *,
    sources: Mapping[str, Mapping[str, Any]],
    entries: Mapping[str, Mapping[str, Any]],
    per_class: int,
    seed: int,
    batch_size: int,
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write what each clip-level detector has of real and text-generated training videos.

    The videos are those from which the authors of ReStraV learn; none of an image-to-video model is
    among them, so that all of these are new to every detector. D3 looks at the real ones alone.

    Args:
        fitted: safetensors of each detector, with what it saw (``write_seen``).
        sources: name -> the arguments of ``Source``, real and text-generated.
        entries: detector -> its backend, weights and settings.
        per_class: training videos of each class at most, a seeded choice.
        seed: of the run.
        batch_size: clips per call of a detector.
        device: cpu, cuda or auto.
        threads: that decode.
        ledger_root: where the numbers of finished videos are kept.

    Raises:
        UserError: a class has no video that can be used.
    """
    videos = TrainingVideos(sources, per_class, seed)
    by_key = {f"{video.source}/{video.uuid}": video for video in videos.chosen}
    tasks = [
        Task(
            name=name,
            items={key: video.sha256 for key, video in by_key.items()},
            ledger=RowLedger(
                ledger_root / "detect" / ledger_key(SCRIPT, entry) / name, CLIP_NUMBERS
            ),
            load=partial(load_backend, entry, device=device),
            prepare=SeenVideo.of,
            work=lambda backend, clips: backend.describe(clips),
            finish=_row,
            batch_size=batch_size,
            failure="scoring_failed",
        )
        for name, entry in entries.items()
    ]
    run(
        tasks,
        lambda key: SeenVideo(videos.read(by_key[key]), by_key[key], entries),
        what="fit detectors",
        workers=threads,
    )
    counts = Counts()
    for task, path in zip(tasks, fitted, strict=True):
        used = [key for key in by_key if key not in task.faults]
        generated = np.array([by_key[key].label != REAL for key in used], bool)
        if generated.all() or not generated.any():
            raise UserError(
                f"{task.name}: no training video of the class "
                f"{'real' if generated.all() else 'text_generated'} can be used "
                f"({dict(Counter(fault.reason for fault in task.faults.values()))}); add a source "
                "to split.tip_id, or take the detector from detect.detectors"
            )
        numbers = np.array(task.ledger.read(used)["numbers"].to_pylist())
        backend = load_backend(entries[task.name], device=device)
        backend.fit(numbers, generated, path, seed=derived_seed(seed, "fit", task.name) % 2**32)
        write_seen(
            path,
            sources=Counter(by_key[key].source for key in used),
            classes=Counter(by_key[key].label for key in used),
            uuids=(by_key[key].uuid for key in used),
        )
        counts.keep(len(used))
        for fault in task.faults.values():
            counts.reject(fault.reason)
        counts.notes += [f"{task.name}: {note}" for note in task.notes]
    counts.reject("not_drawn", videos.left * len(tasks))
    return counts


def _row(key: str, numbers: np.ndarray) -> dict | Rejected:
    if not np.isfinite(numbers).all():
        return Rejected("not_a_number")
    return {"uuid": key, "numbers": numbers.tolist()}


if __name__ == "__main__":
    run_job(fit_detectors, snakemake)
