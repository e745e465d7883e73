"""Score the middle frames of sources' test videos with every detector (Section 5.3, Table 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import find_backend, load_backend
from scripts.common.engine import ledger_key
from scripts.common.errors import Rejected
from scripts.common.fingerprints import sha256_of
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.roles import ClipDetector, Detector
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import FRAME_SCORES
from scripts.common.schemas.split import REAL
from scripts.common.video import read_frames
from scripts.detect.tip_id import Source, Video, needed_tests
from scripts.detect.video_scores import Scorer, score_sources

SCRIPT = "scripts/detect/score_frames.py"


def score_frames(
    scores: Sequence[Path],
    fitted: Sequence[Path] = (),
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
        fitted: what detectors that see clips learnt, ``<detector>.safetensors``.
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
    learnt = {path.stem: path for path in fitted}

    def load(name: str) -> Detector | ClipDetector:
        backend = load_backend(entries[name], device=device)
        return backend.fitted(learnt[name]) if name in learnt else backend

    def key_of(name: str, entry: Mapping[str, Any]) -> str:
        fit = {"fit": sha256_of(learnt[name])} if name in learnt else {}
        return ledger_key(SCRIPT, entry, name=name, **fit)

    scorers = [
        Scorer(
            columns={"detector": name},
            key=key_of(name, entry),
            load=cache(partial(load, name)),
            score=_score,
            prepare=SeenVideo.of,
        )
        for name, entry in entries.items()
    ]

    def read(source: Source, uuid: str) -> SeenVideo:
        return SeenVideo(source.read(source[uuid]), source[uuid], entries)

    return score_sources(
        sources,
        scores,
        lambda source: scorers,
        read,
        schema=FRAME_SCORES,
        needed=needed_tests(splits, [REAL], max_per_class, seed),
        batch_size=batch_size,
        threads=threads,
        ledger_root=ledger_root,
    )


@dataclass(frozen=True)
class SeenVideo:
    """A video as its detectors see it; it is decoded once, for all frames that any of them takes."""

    data: bytes
    video: Video
    entries: Mapping[str, Mapping[str, Any]]

    @staticmethod
    def of(backend: Detector | ClipDetector, seen: "SeenVideo") -> Any:
        """Return what a detector takes of a video: its middle frame, or its clip made ready."""
        return (
            backend.prepare(seen.clip(backend)) if hasattr(backend, "seen_frames") else seen.middle
        )

    @property
    def middle(self) -> np.ndarray:
        """The middle frame."""
        return self._frames[self.video.frames // 2]

    def clip(self, backend: ClipDetector) -> np.ndarray:
        """Return the frames of a detector's clip: uint8 RGB of shape (frames, height, width, 3)."""
        numbers = backend.seen_frames(self.video.frames, self.video.fps)
        return np.stack([self._frames[number] for number in numbers])

    @cached_property
    def _frames(self) -> dict[int, np.ndarray]:
        wanted = set()
        for backend in map(find_backend, self.entries.values()):
            try:
                seen = getattr(backend, "seen_frames", self._middle)
                wanted.update(seen(self.video.frames, self.video.fps))
            except Rejected:
                continue  # told when the clip is asked for
        numbers = sorted(wanted)
        return dict(zip(numbers, read_frames(self.data, numbers), strict=True)) if numbers else {}

    @staticmethod
    def _middle(frames: int, fps: float) -> list[int]:
        return [frames // 2]


def _score(detector: Detector | ClipDetector, seen: Sequence[Any]) -> list[dict | Rejected]:
    scores = np.ravel(detector.score(seen)).tolist()
    return [{"score": one} if isfinite(one) else Rejected("not_a_number") for one in scores]


if __name__ == "__main__":
    run_job(score_frames, snakemake)
