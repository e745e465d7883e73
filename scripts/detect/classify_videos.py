"""Classify sources' test videos with every classifier tested on them (Section 5.3, Table 4)."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.engine import ledger_key
from scripts.common.errors import Rejected
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.rule_log import Counts
from scripts.common.schemas.detect import CLASS_SCORES, CLASSES
from scripts.common.schemas.split import REAL, TEXT_GENERATED
from scripts.detect.tip_id import Source, needed_tests
from scripts.detect.video_scores import Scorer, score_sources

SCRIPT = "scripts/detect/classify_videos.py"


def classify_videos(
    weights: Sequence[Path],
    scores: Sequence[Path],
    *,
    sources: Mapping[str, Mapping[str, Any]],
    entry: Mapping[str, Any],
    splits: Sequence[Path],
    max_per_class: int,
    seed: int,
    batch_size: int,
    device: str = "auto",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the trained classifiers' outputs for the test videos of some sources.

    A generator's videos test the classifiers that are called after it; those of the other two
    classes test all. A video's clips are decoded once for all classifiers. Finished outputs are
    kept for each under the content of its weights, so that one that was trained anew redoes its own
    and no other's.

    Args:
        weights: from ``train_videomae``: ``<setting>/<tested generator>.safetensors``.
        scores: ``CLASS_SCORES`` of each source, one row for each classifier and test video.
        sources: name -> the arguments of ``Source``.
        entry: the classifiers' entry in config/detectors.yaml.
        splits: tables of TIP-ID of all sources, by which it is known what test sets use.
        max_per_class: test videos of a class in a test set at most.
        seed: of the run.
        batch_size: clips per call of a classifier.
        device: cpu, cuda or auto.
        threads: that decode.
        ledger_root: where finished outputs are kept.

    Raises:
        UserError: weights are damaged or of another model, or nothing could be classified.
    """
    # One thread for the model: on the CPU its outputs would depend on how many there are.
    classifier = cache(lambda: load_backend(entry, device=device, threads=1))
    settings = entry["settings"]
    decisive = {"clip": settings["clip"], "precision": settings["training"].get("precision")}

    def scorer(path: Path) -> Scorer:
        columns = {"setting": path.parent.name, "generator": path.stem}
        decided_by = {"backend": entry["backend"], "weights": {"path": path}, "settings": decisive}
        return Scorer(
            columns=columns,
            key=ledger_key(SCRIPT, decided_by, **columns),
            load=lambda: classifier().read_model(path),
            score=classify,
        )

    def classify(model: Any, videos: Sequence[Any]) -> list[dict[str, Any] | Rejected]:
        return [
            _row(clips) for clips in classifier().classify(model, videos, batch_size=batch_size)
        ]

    def read(source: Source, uuid: str) -> Any:
        return classifier().test_clips(source[uuid], source.read)

    def tested_on(source: str) -> list[Scorer]:
        is_outside = all(path.stem != source for path in weights)
        return [scorer(path) for path in weights if is_outside or path.stem == source]

    return score_sources(
        sources,
        scores,
        tested_on,
        read,
        schema=CLASS_SCORES,
        needed=needed_tests(splits, [REAL, TEXT_GENERATED], max_per_class, seed),
        batch_size=batch_size,
        threads=threads,
        ledger_root=ledger_root,
    )


def _row(clips: np.ndarray) -> dict[str, Any] | Rejected:
    """Return a video's mean output, and those of its clips (clips, classes)."""
    if not np.isfinite(clips).all():
        return Rejected("not_a_number")
    means = np.atleast_2d(clips).mean(axis=0).tolist()
    outputs = {f"p_{name}": value for name, value in zip(CLASSES, means, strict=True)}
    return outputs | {"clips": np.ravel(clips).tolist()}


if __name__ == "__main__":
    run_job(classify_videos, snakemake)
