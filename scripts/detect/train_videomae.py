"""Train the video classifier for one generator and setting (Section 5.3, Supplement 14)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.common.engine import ledger_key
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, JobLedger
from scripts.common.rule_log import Counts
from scripts.detect.videomae_training import TrainingJob, run_training
from scripts.models.devices import pick_device
from scripts.models.training import what_place_decides
from scripts.models.training_processes import train_on

SCRIPT = "scripts/detect/train_videomae.py"


def train_videomae(
    sources: Mapping[str, Mapping[str, Any]],
    weights: Path,
    curve: Path,
    *,
    entry: Mapping[str, Any],
    name: str,
    seed: int,
    gpus: int = 0,
    processes: int = 1,
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Train on the training part of the given sources; a killed training resumes.

    A training that ran before with the same videos, settings, code and seed is recalled.

    Args:
        sources: by name, the fields of ``SourceFiles``, of all three classes: the generator itself
            (same domain) or all others (cross domain), the real and the text-to-video sources.
        weights: safetensors with the trained weights and the model's configuration.
        curve: csv with the columns iteration, loss, learning_rate.
        entry: the classifier's entry in config/detectors.yaml.
        name: of the training in the ledger, such as ``same_domain-pika``.
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
    job = TrainingJob(
        sources={name: dict(files) for name, files in sources.items()},
        weights=str(weights),
        curve=str(curve),
        entry=dict(entry),
        name=name,
        seed=seed,
        threads=max(1, threads // processes),
    )
    batch_size = entry["settings"]["training"]["batch_size"]
    if batch_size < processes:
        raise UserError(
            f"a batch of {batch_size} clips cannot be shared by {processes} devices; lower "
            "detect.training_gpu, or raise 'training.batch_size' in config/detectors.yaml"
        )
    videos = job.find_videos()
    settings = {key: value for key, value in entry["settings"].items() if key != "running"}
    key = ledger_key(
        SCRIPT,
        {**entry, "settings": settings},
        videos=sorted((video.source, video.label, video.sha256) for video in videos.chosen),
        seed=seed,
        **what_place_decides(device, job.threads, processes),
    )
    ledger = JobLedger(ledger_root / "detect" / key / name)
    outputs = {"weights.safetensors": weights, "curve.csv": curve}
    counts = Counts(declared=len(videos.chosen) + videos.left)
    counts.keep(len(videos.chosen))
    counts.reject("not_drawn", videos.left)
    if ledger.recall(outputs):
        return counts
    job = replace(job, checkpoint=str(ledger.checkpoint))
    skipped = train_on(run_training, job.told(), device=device, processes=processes, videos=videos)
    ledger.remember(outputs)
    for reason, number in Counter(skipped.values()).items():
        counts.kept -= number
        counts.reject(reason, number)
    return counts


if __name__ == "__main__":
    trained = f"{snakemake.wildcards.setting}-{snakemake.wildcards.generator}"
    run_job(train_videomae, snakemake, name=trained)
