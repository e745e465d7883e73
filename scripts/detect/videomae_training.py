"""VideoMAE's training as one process sees it: the recipe of Supplement 14, from sources to weights."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from scripts.common.backends import load_backend
from scripts.common.identity import derived_seed, seeded_order
from scripts.common.schemas.split import TRAIN
from scripts.detect.tip_id import Source, SourceFiles, Video
from scripts.detect.training_clips import TrainingClips, collate
from scripts.models.training import Course, Lesson, own_share
from scripts.models.training_processes import process_of_group


@dataclass(frozen=True)
class TrainingSettings:
    """What decides the trained weights.

    Attributes:
        iterations: optimiser steps.
        batch_size: clips in each, over all processes.
        learning_rate: the largest, at the end of the warm-up.
        warmup_share: share of the iterations in which the rate rises from 0.
        weight_decay: of AdamW.
        gradient_clip: largest norm of the gradient.
        precision: float32, or bfloat16 (automatic mixed precision).
        videos_per_class: training videos of each class at most, a seeded choice; None takes all.
    """

    iterations: int
    batch_size: int
    learning_rate: float
    warmup_share: float = 0.1
    weight_decay: float = 0.0
    gradient_clip: float = 1.0
    precision: str = "float32"
    videos_per_class: int | None = None

    def rate(self, iteration: int) -> float:
        """Return the learning rate of an iteration, counted from 0."""
        return self.learning_rate * rate_factor(iteration, self.iterations, self.warmup_share)


@dataclass(frozen=True)
class RunningSettings:
    """What decides how long a training takes, and nothing else.

    Attributes:
        frames_in_memory_mb: decoded frames that are held, in all processes together.
        workers: processes that decode, for each device; 0 decodes between the steps.
        checkpoint_every: iterations between two states from which a killed training resumes.
    """

    frames_in_memory_mb: int = 0
    workers: int = 0
    checkpoint_every: int = 500

    @property
    def frames_in_memory_bytes(self) -> int:
        """Of each process that decodes."""
        decoding = max(1, self.workers) * process_of_group()[1]
        return self.frames_in_memory_mb * 2**20 // decoding


def rate_factor(iteration: int, iterations: int, warmup_share: float) -> float:
    """Return the learning rate of an iteration (from 0) as a share of the largest.

    It rises linearly from 0 over the warm-up and falls linearly to 0 at the end, as in the
    transformers library.
    """
    warmup = ceil(iterations * warmup_share)
    if iteration < warmup:
        return iteration / warmup
    return (iterations - iteration) / max(1, iterations - warmup)


def course_of(settings: TrainingSettings, running: RunningSettings, seed: int) -> Course:
    """Return the recipe as the training loop takes it: AdamW with transformers' defaults."""
    return Course(
        steps=settings.iterations,
        batch_size=settings.batch_size,
        rate=settings.rate,
        optimiser=lambda parameters: torch.optim.AdamW(
            parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        ),
        seed=seed,
        sheet="config/detectors.yaml",
        precision=settings.precision,
        gradient_clip=settings.gradient_clip,
        checkpoint_every=running.checkpoint_every,
    )


class Classifying(Lesson):
    """From clips to the loss of a classifier of transformers."""

    def __init__(self, network: torch.nn.Module):
        """Take the classifier, which is kept."""
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor]:
        """Return the mean loss.

        Args:
            pixels: of shape (clips, frames, 3, size, size).
            labels: class of each, shape (clips,).
        """
        return (self.network(pixel_values=pixels, labels=labels).loss,)


def load(clips: TrainingClips, course: Course, running: RunningSettings, start: int) -> DataLoader:
    """Return this process's part of the batches from an iteration on."""
    size, own = course.batch_size, own_share(course.batch_size)
    batches = [
        range(number * size + own.start, number * size + own.stop)
        for number in range(start, course.steps)
    ]
    return DataLoader(
        clips,
        batch_sampler=batches,
        num_workers=running.workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
    )


@dataclass(frozen=True)
class TrainingJob:
    """What each process of a training is told, JSON-like.

    Attributes:
        sources: by name, the fields of ``SourceFiles``.
        weights: the safetensors to write.
        curve: the csv to write: iteration, loss, learning_rate.
        entry: of config/detectors.yaml.
        name: of the training, which is part of its seed.
        seed: of the run.
        threads: of a process, on the CPU.
        checkpoint: the state from which a killed training resumes.
    """

    sources: dict[str, dict[str, Any]]
    weights: str
    curve: str
    entry: dict[str, Any]
    name: str
    seed: int
    threads: int
    checkpoint: str = ""

    def told(self) -> dict[str, Any]:
        """Return the job as ``run_training`` takes it."""
        return asdict(self)

    def find_videos(self) -> "TrainingVideos":
        """Return the videos to learn from."""
        settings = self.entry["settings"]["training"]
        return TrainingVideos(self.sources, settings.get("videos_per_class"), self.seed)


class TrainingVideos:
    """The training part of several sources, read as one library.

    Attributes:
        chosen: the videos to learn from.
        left: how many were not drawn.
    """

    def __init__(self, sources: Mapping[str, Mapping[str, Any]], per_class: int | None, seed: int):
        """Read which there are, and draw ``per_class`` of each class, or take all."""
        self._sources = {
            name: Source(SourceFiles(**files), TRAIN) for name, files in sources.items()
        }
        videos = [video for source in self._sources.values() for video in source.videos]
        self.chosen = _chosen(videos, per_class, seed)
        self.left = len(videos) - len(self.chosen)

    def read(self, video: Video) -> bytes:
        """Return a video's bytes, or raise ``Rejected``."""
        return self._sources[video.source].read(video)


def run_training(
    told: Mapping[str, Any], device: torch.device, videos: TrainingVideos | None = None
) -> dict[str, str]:
    """Train, in this process or as one of its group; the first process writes the outputs.

    Args:
        told: a ``TrainingJob``.
        device: where this process trains.
        videos: what to learn from, where it is known already.

    Returns:
        uuid -> reason of videos that could not be used.

    Raises:
        UserError: see ``VideoMae.train``.
    """
    job = TrainingJob(**told)
    videos = videos or job.find_videos()
    classifier = load_backend(job.entry, device=str(device), threads=job.threads)
    run = classifier.train(
        videos.chosen,
        videos,
        Path(job.weights),
        state=Path(job.checkpoint),
        seed=derived_seed(job.seed, "videomae", job.name),
    )
    if process_of_group()[0] == 0:
        _write_curve(run.rows, Path(job.curve))
    return run.skipped


def _chosen(videos: Sequence[Video], per_class: int | None, seed: int) -> list[Video]:
    """Return a seeded choice of each class; generators of a class share its places evenly."""
    if per_class is None:
        return list(videos)
    chosen = []
    for label in sorted({video.label for video in videos}):
        members = {f"{v.source}/{v.uuid}": v for v in videos if v.label == label}
        sources = sorted({video.source for video in members.values()})
        ranks = {
            key: (rank, source)
            for source in sources
            for rank, key in enumerate(
                seeded_order((k for k, v in members.items() if v.source == source), seed, "train")
            )
        }
        chosen.extend(members[key] for key in sorted(ranks, key=ranks.get)[:per_class])
    return chosen


def _write_curve(rows: Sequence[Sequence[float]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["iteration", "loss", "learning_rate"])
        writer.writerows([number, f"{loss:.6f}", f"{rate:.8g}"] for number, rate, loss in rows)
