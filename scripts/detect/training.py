"""The training loop: AdamW, linear decay after a warm-up, clipped gradients; it resumes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from scripts.common.errors import UserError
from scripts.common.identity import derived_seed
from scripts.common.progress import progress
from scripts.detect.training_clips import TrainingClips, collate


@dataclass(frozen=True)
class TrainingSettings:
    """What decides the trained weights.

    Attributes:
        iterations: optimiser steps.
        batch_size: clips in each.
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


@dataclass(frozen=True)
class RunningSettings:
    """What decides how long a training takes, and nothing else.

    Attributes:
        frames_in_memory_mb: decoded frames that are held, in all workers together.
        workers: processes that decode; 0 decodes between the steps.
        checkpoint_every: iterations between two states from which a killed training resumes.
    """

    frames_in_memory_mb: int = 0
    workers: int = 0
    checkpoint_every: int = 500


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        curve: (loss, learning rate) of each iteration that is done.
        skipped: uuid -> reason of videos that could not be used.
    """

    curve: list[tuple[float, float]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def rate_factor(iteration: int, iterations: int, warmup_share: float) -> float:
    """Return the learning rate of an iteration (from 0) as a share of the largest.

    It rises linearly from 0 over the warm-up and falls linearly to 0 at the end, as in the
    transformers library.
    """
    warmup = ceil(iterations * warmup_share)
    if iteration < warmup:
        return iteration / warmup
    return (iterations - iteration) / max(1, iterations - warmup)


def fine_tune(
    model: torch.nn.Module,
    clips: TrainingClips,
    settings: TrainingSettings,
    running: RunningSettings,
    *,
    device: torch.device,
    state: Path,
    seed: int,
) -> Progress:
    """Train a model in place, from the start or from where a killed run left its state.

    Args:
        model: takes ``pixel_values`` and ``labels``, returns an object with ``loss``.
        clips: the samples, in order.
        settings: decide the result.
        running: decide the time.
        device: where the model is trained.
        state: file of the unfinished training's state; it is written as the training goes on.
        seed: of the run; the samples have their own.

    Raises:
        UserError: the loss is not finite any more.
    """
    model.to(device).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    done = _resume(model, optimiser, state)
    batches = _batches(clips, len(done.curve), settings, running)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")
    for pixels, labels, skipped in progress(
        batches, "training", total=settings.iterations - len(done.curve)
    ):
        iteration = len(done.curve)
        # Dropout must not depend on whether the run was interrupted.
        torch.manual_seed(derived_seed(seed, "iteration", iteration))
        rate = settings.learning_rate * rate_factor(
            iteration, settings.iterations, settings.warmup_share
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        with autocast:
            loss = model(pixel_values=pixels.to(device), labels=labels.to(device)).loss
        if not torch.isfinite(loss):
            raise UserError(
                f"the training diverged at iteration {iteration}; lower the entry's learning_rate "
                "in config/detectors.yaml"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
        optimiser.step()
        done.curve.append((loss.item(), rate))
        done.skipped.update(skipped)
        if len(done.curve) % running.checkpoint_every == 0:
            _keep(model, optimiser, done, state)
    return done


def _batches(
    clips: TrainingClips, first: int, settings: TrainingSettings, running: RunningSettings
) -> Iterator[tuple[torch.Tensor, torch.Tensor, list[tuple[str, str]]]]:
    left = range(first * settings.batch_size, settings.iterations * settings.batch_size)
    loader = DataLoader(
        clips,
        batch_size=settings.batch_size,
        sampler=left,
        num_workers=running.workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)


def _keep(
    model: torch.nn.Module, optimiser: torch.optim.Optimizer, done: Progress, state: Path
) -> None:
    temporary = state.with_name(f"tmp-{os.getpid()}-{state.name}")
    torch.save(
        {
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "curve": done.curve,
            "skipped": done.skipped,
        },
        temporary,
    )
    os.replace(temporary, state)


def _resume(model: torch.nn.Module, optimiser: torch.optim.Optimizer, state: Path) -> Progress:
    kept = _read_state(state)
    if kept is None:
        return Progress()
    model.load_state_dict(kept["model"])
    optimiser.load_state_dict(kept["optimiser"])
    return Progress([tuple(step) for step in kept["curve"]], dict(kept["skipped"]))


def _read_state(state: Path) -> dict[str, Any] | None:
    """Return a state; one that a full disk left damaged is as good as none."""
    if not state.exists():
        return None
    try:
        return torch.load(state, map_location="cpu", weights_only=True)
    except Exception:  # torch meets garbage with errors of many kinds
        return None
