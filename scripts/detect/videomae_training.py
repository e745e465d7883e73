"""VideoMAE's training as one process sees it: the recipe of Supplement 14, from sources to weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from scripts.common.backends import load_backend
from scripts.common.identity import derived_seed, seeded_order
from scripts.common.schemas.split import TRAIN
from scripts.detect.tip_id import Source, Video
from scripts.detect.training_clips import TrainingClips, collate
from scripts.models.training import Course, Lesson, own_share


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
        micro_batch: clips that a device takes at once, where its share of the batch does not fit in
            memory: gradients are added up, and are those of the batch; 0 is the whole share.
        precision: float32, or bfloat16 (automatic mixed precision).
        balanced: whether the classes take turns; else all videos come in one order, so that a class
            is seen as often as it has videos.
        videos_per_class: training videos of each class at most, a seeded choice; None takes all.
    """

    iterations: int
    batch_size: int
    learning_rate: float
    warmup_share: float = 0.1
    weight_decay: float = 0.0
    gradient_clip: float = 1.0
    micro_batch: int = 0
    precision: str = "float32"
    balanced: bool = True
    videos_per_class: int | None = None

    def rate(self, iteration: int) -> float:
        """Return the learning rate of an iteration, counted from 0.

        It rises linearly from 0 over the warm-up and falls linearly to 0 at the end, as in the
        transformers library.
        """
        warmup = ceil(self.iterations * self.warmup_share)
        share = (self.iterations - iteration) / max(1, self.iterations - warmup)
        return self.learning_rate * (iteration / warmup if iteration < warmup else share)

    def course(self, seed: int, checkpoint_every: int = 500) -> Course:
        """Return the recipe as the training loop takes it: AdamW with transformers' defaults."""
        return Course(
            steps=self.iterations,
            batch_size=self.batch_size,
            rate=self.rate,
            optimiser=partial(
                torch.optim.AdamW, lr=self.learning_rate, weight_decay=self.weight_decay
            ),
            seed=seed,
            sheet="config/detectors.yaml",
            precision=self.precision,
            micro_batch=self.micro_batch,
            gradient_clip=self.gradient_clip,
            checkpoint_every=checkpoint_every,
        )


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


def load(clips: TrainingClips, course: Course, workers: int, start: int) -> DataLoader:
    """Return this process's part of the batches from an iteration on."""
    size, own = course.batch_size, own_share(course.batch_size)
    batches = [range(size * n + own.start, size * n + own.stop) for n in range(start, course.steps)]
    return DataLoader(
        clips,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
    )


class TrainingVideos:
    """The training part of several sources, read as one library.

    Attributes:
        chosen: the videos to learn from.
        left: how many were not drawn.
    """

    def __init__(self, sources: Mapping[str, Mapping[str, Any]], per_class: int | None, seed: int):
        """Read which there are, and draw ``per_class`` of each class, or take all."""
        self._sources = {name: Source(**files, part=TRAIN) for name, files in sources.items()}
        videos = [video for source in self._sources.values() for video in source.videos]
        self.chosen = _chosen(videos, per_class, seed)
        self.left = len(videos) - len(self.chosen)

    def read(self, video: Video) -> bytes:
        """Return a video's bytes, or raise ``Rejected``."""
        return self._sources[video.source].read(video)


def run_training(
    told: Mapping[str, Any],
    device: torch.device,
    videos: TrainingVideos | None = None,
    held: dict[Video, np.ndarray] | None = None,
) -> dict[str, str]:
    """Train, in this process or as one of its group; the first process writes the outputs.

    Args:
        told: JSON-like: ``sources``, ``entry``, ``seed`` and ``threads`` as ``train_videomae``
            takes them; the ``name`` of the training, which is part of its seed; the files
            ``weights`` and ``curve``; the ``checkpoint`` from which a killed training resumes.
        device: where this process trains.
        videos: what to learn from, where it is known already.
        held: frames that an earlier training decoded.

    Returns:
        uuid -> reason of videos that could not be used.

    Raises:
        UserError: see ``VideoMae.train``.
    """
    per_class = told["entry"]["settings"]["training"].get("videos_per_class")
    videos = videos or TrainingVideos(told["sources"], per_class, told["seed"])
    classifier = load_backend(told["entry"], device=str(device), threads=told["threads"])
    return classifier.train(
        videos.chosen,
        videos.read,
        Path(told["weights"]),
        Path(told["curve"]),
        state=Path(told["checkpoint"]),
        seed=derived_seed(told["seed"], "videomae", told["name"]),
        held=held,
    )


def _chosen(videos: Sequence[Video], per_class: int | None, seed: int) -> list[Video]:
    """Return a seeded choice of each class; generators of a class share its places evenly."""
    if per_class is None:
        return list(videos)
    chosen: list[Video] = []
    for label in sorted({video.label for video in videos}):
        ranks: dict[tuple[int, str], Video] = {}
        for source in sorted({video.source for video in videos if video.label == label}):
            members = {f"{source}/{v.uuid}": v for v in videos if v.source == source}
            order = enumerate(seeded_order(members, seed, "train"))
            ranks |= {(rank, source): members[key] for rank, key in order}
        chosen.extend(ranks[place] for place in sorted(ranks)[:per_class])
    return chosen
