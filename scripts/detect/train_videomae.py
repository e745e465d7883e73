"""Train the video classifiers of generators and settings (Section 5.3, Supplement 14)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.engine import ledger_key
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, JobLedger
from scripts.common.rule_log import Counts
from scripts.common.seen import write_seen
from scripts.detect.tip_id import Video
from scripts.detect.videomae_training import TrainingVideos, run_training
from scripts.models.devices import pick_device
from scripts.models.training import what_place_decides
from scripts.models.training_processes import train_on

SCRIPT = "scripts/detect/train_videomae.py"


def train_videomae(
    weights: Sequence[Path],
    curves: Sequence[Path],
    *,
    trainings: Mapping[str, Sequence[str]],
    sources: Mapping[str, Mapping[str, Any]],
    entry: Mapping[str, Any],
    seed: int,
    gpus: int = 0,
    processes: int = 1,
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Train on the training parts of given sources, one training after the other.

    A training that ran before with the same videos, settings, code and seed is recalled; a killed
    one resumes. What the memory allows to hold of the decoded videos, the next training takes over.

    Args:
        weights: of each training, safetensors with the weights, the model's configuration, and
            what it saw (``write_seen``).
        curves: of each, csv with the columns iteration, loss, learning_rate.
        trainings: name, such as ``same_domain-pika`` -> the sources to learn from, of all three
            classes: the generator itself (same domain) or all others (cross domain), the real and
            the text-to-video sources.
        sources: name -> the arguments of ``Source``.
        entry: the classifiers' entry in config/detectors.yaml.
        seed: of the run.
        gpus: that share each batch, each with a process of its own; 0 trains on the CPU.
        processes: that share each batch on the CPU.
        threads: on the CPU, of all processes.
        ledger_root: where states and finished trainings are kept.

    Raises:
        UserError: a class has no video, the pre-trained model is missing or does not fit, or there
            are too few GPUs.
    """
    device = pick_device("cuda" if gpus else "cpu")
    processes = gpus or processes
    threads = max(1, threads // processes)
    batch_size = entry["settings"]["training"]["batch_size"]
    if batch_size < processes:
        raise UserError(
            f"a batch of {batch_size} clips cannot be shared by {processes} devices; lower "
            "detect.training_gpu, or raise 'training.batch_size' in config/detectors.yaml"
        )
    settings = {key: value for key, value in entry["settings"].items() if key != "running"}
    per_class = settings["training"].get("videos_per_class")
    counts, held = Counts(), dict[Video, np.ndarray]()
    for (name, wanted), model, curve in zip(trainings.items(), weights, curves, strict=True):
        told: dict[str, Any] = {
            "sources": {source: dict(sources[source]) for source in wanted},
            "weights": str(model),
            "curve": str(curve),
            "entry": dict(entry),
            "name": name,
            "seed": seed,
            "threads": threads,
        }
        videos = TrainingVideos(told["sources"], per_class, seed)
        key = ledger_key(
            SCRIPT,
            {**entry, "settings": settings},
            videos=sorted((video.source, video.label, video.sha256) for video in videos.chosen),
            seed=seed,
            **what_place_decides(device, threads, processes),
        )
        ledger = JobLedger(ledger_root / "detect" / key / name)
        outputs = {"weights.safetensors": model, "curve.csv": curve}
        if not ledger.recall(outputs):
            told["checkpoint"] = str(ledger.checkpoint)
            held = {video: held[video] for video in videos.chosen if video in held}
            skipped = train_on(
                run_training, told, device=device, processes=processes, videos=videos, held=held
            )
            write_seen(
                model,
                sources=Counter(video.source for video in videos.chosen),
                classes=Counter(video.label for video in videos.chosen),
                uuids=(video.uuid for video in videos.chosen),
            )
            ledger.remember(outputs, skipped)
        skipped = ledger.notes
        counts.keep(len(videos.chosen) - len(skipped))
        counts.reject("not_drawn", videos.left)
        for reason, number in Counter(skipped.values()).items():
            counts.reject(reason, number)
    return counts


if __name__ == "__main__":
    run_job(train_videomae, snakemake)
