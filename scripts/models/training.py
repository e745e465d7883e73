"""The training loop: the same on one GPU, on several and on a CPU; it resumes.

Whatever is random in a step derives from the seed and the step's number, so that a run which was
killed and resumed ends with the same weights as one that was not. In a process group
(torch.distributed) each process takes its share of every batch: the gradient, and but for the order
of its sums the result, is that of one process.
"""

import contextlib
import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from scripts.common.errors import UserError
from scripts.common.identity import derived_seed
from scripts.common.progress import progress
from scripts.models.devices import PRECISIONS, TRAINING_PRECISIONS
from scripts.models.training_processes import process_of_group
from scripts.models.training_state import Run, TrainingState

Batch = tuple[Sequence[torch.Tensor | None], Sequence[tuple[str, str]]] | str
"""Tensors with a row for each sample, and (item, reason) of what could not be used; or a sentence
on a fault that ends the training, since an error that leaves a worker comes as its whole traceback.
"""


class Lesson(nn.Module):
    """What is trained: a network, and what makes a loss of its outputs.

    Called with the tensors of some samples it returns the mean loss, and then the means of
    whatever else the curve shows.

    Attributes:
        network: the part whose weights are kept.
        values: how many numbers it returns.
    """

    network: nn.Module
    values: int = 1


@dataclass(frozen=True)
class Course:
    """How a lesson is learnt.

    Attributes:
        steps: updates of the weights.
        batch_size: samples in each, over all processes.
        rate: the learning rate of a step, from 0.
        optimiser: takes the parameters.
        seed: of what is random within a step.
        sheet: the configuration's file that errors name.
        precision: of the forward pass (autocast); weights and updates stay float32, and bfloat16
            has their range, so that the loss needs no scaling.
        gradient_clip: largest norm of the gradient; None clips nothing.
        average: decay of the moving average of the network's weights, which is then what is kept;
            None keeps the weights themselves.
        micro_batch: samples that a process takes at once, where its share of the batch does not
            fit in memory; 0 is the whole share. The gradient is that of the batch either way.
        log_every: steps per row of the curve.
        checkpoint_every: steps between states from which a killed run resumes.
    """

    steps: int
    batch_size: int
    rate: Callable[[int], float]
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    seed: int
    sheet: str
    precision: str = "float32"
    gradient_clip: float | None = None
    average: float | None = None
    micro_batch: int = 0
    log_every: int = 1
    checkpoint_every: int = 500

    def __post_init__(self):
        if self.precision not in TRAINING_PRECISIONS:
            raise UserError(
                f"{self.sheet}: 'training.precision' is {self.precision!r}; it may be one of: "
                f"{', '.join(TRAINING_PRECISIONS)}"
            )


def train(
    lesson: Lesson,
    course: Course,
    batches: Callable[[int], Iterable[Batch]],
    state: TrainingState,
    *,
    device: torch.device,
    what: str = "train",
) -> tuple[dict[str, torch.Tensor], Run]:
    """Learn a lesson, from the start or from where a killed run left its state.

    Args:
        lesson: the same in each process.
        course: the settings.
        batches: returns this process's part of the batches, from a step on.
        state: what a killed run resumes from; it is left to the caller to remove.
        device: where this process trains.
        what: name of the progress bar.

    Returns:
        The network's weights, or their moving average, on the CPU, and what became of the run;
        whole in the first process only.

    Raises:
        UserError: a batch is at fault, the state is damaged, or the training diverged.
    """
    rank, _ = process_of_group()
    learner = Learner(lesson, course, device)
    run = state.resume(learner)
    batches_left = batches(run.done)
    shown = progress(batches_left, what, total=course.steps - run.done) if rank == 0 else None
    for step, batch in enumerate(shown or batches_left, run.done):
        if isinstance(batch, str):
            raise UserError(batch)
        tensors, skipped = batch
        # Dropout must not depend on whether the run was interrupted, nor be alike in all processes.
        torch.manual_seed(derived_seed(course.seed, "iteration", step, *([rank] if rank else [])))
        run.sums += learner.step(tensors, course.rate(step))
        run.skipped.update(skipped)
        run.done = step + 1
        ends = run.done == course.steps
        if run.done % course.log_every == 0 or ends:
            means = (total(run.sums) / (run.done - run.row_start)).tolist()
            _refuse_divergence(means, run.done, course.sheet)
            run.rows.append([run.done, course.rate(step), *means])
            run.sums.zero_()
            run.row_start = run.done
        if run.done % course.checkpoint_every == 0 and not ends:
            sums = total(run.sums)
            _refuse_divergence(sums.tolist(), run.done, course.sheet)
            state.save(learner, run, sums, together(run.skipped))
    run.skipped = together(run.skipped)
    return learner.weights(), run


class Learner:
    """A lesson, its optimiser, and how a batch changes the weights: one step at a time."""

    def __init__(self, lesson: Lesson, course: Course, device: torch.device):
        """Put the lesson on the device, ready to learn."""
        self.lesson = lesson.to(device).train()
        self.optimiser = course.optimiser(self.lesson.parameters())
        self._course, self.device = course, device
        rank, self._ranks = process_of_group()
        # Of the first process alone, as what is kept is written by it.
        averages = course.average is not None and rank == 0
        self.average = MovingAverage(lesson.network, course.average) if averages else None
        self._loss: nn.Module = self.lesson
        if self._ranks > 1:
            self._loss = DistributedDataParallel(
                self.lesson,
                device_ids=[device] if device.type == "cuda" else None,
                gradient_as_bucket_view=True,
            )

    def step(self, tensors: Sequence[torch.Tensor | None], rate: float) -> torch.Tensor:
        """Learn from this process's samples of a batch.

        Args:
            tensors: what the lesson takes, each with a row for each sample.
            rate: the learning rate.

        Returns:
            What the lesson returns: the means over the batch, or this process's part of them.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        results = torch.zeros(self.lesson.values, device=self.device)
        samples = len(tensors[0])
        at_once = self._course.micro_batch or samples
        for start in range(0, samples, at_once):
            part = slice(start, start + at_once)
            here = [
                None if tensor is None else tensor[part].to(self.device, non_blocking=True)
                for tensor in tensors
            ]
            share = len(here[0]) / self._course.batch_size
            with self._gathered() if start + at_once < samples else contextlib.nullcontext():
                with self._precision():
                    loss, *others = self._loss(*here)
                # Processes' gradients are averaged: each must count as if it were all of them.
                (loss * (share * self._ranks)).backward()
            results += torch.stack([loss.detach(), *others]) * share
        if self._course.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.lesson.parameters(), self._course.gradient_clip)
        self.optimiser.step()
        if self.average is not None:
            self.average.update()
        return results

    def weights(self) -> dict[str, torch.Tensor]:
        """Return what is kept of the network, on the CPU."""
        state = self.lesson.network.state_dict() if self.average is None else self.average.state
        return {name: value.cpu().contiguous() for name, value in state.items()}

    def _precision(self) -> contextlib.AbstractContextManager:
        """Return the context of the forward pass; it decides the weights, so on the CPU as well."""
        kind = PRECISIONS[self._course.precision]
        return torch.autocast(self.device.type, kind, enabled=kind != torch.float32)

    def _gathered(self) -> contextlib.AbstractContextManager:
        """Leave gradients in this process, since more of the batch follows."""
        return self._loss.no_sync() if self._ranks > 1 else contextlib.nullcontext()


class MovingAverage:
    """The exponential moving average of a network's parameters.

    As in torch-ema, the decay is at most (1 + n) / (10 + n) at the n-th update, so that the start
    is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float):
        parameters = dict(network.named_parameters())
        self._parameters = [value.detach() for value in parameters.values()]
        self._decay = decay
        self.updates = 0
        self.state = {name: value.detach().clone() for name, value in parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the network's present parameters."""
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        # Of all tensors at once: one by one, a GPU would wait for the start of 150 kernels.
        torch._foreach_lerp_(list(self.state.values()), self._parameters, 1 - decay)

    def load(self, state: Mapping[str, torch.Tensor], updates: int) -> None:
        """Go on from an earlier average."""
        for name, value in self.state.items():
            value.copy_(state[name])
        self.updates = updates


def write_curve(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write the curve of a training as csv; the first process does, for all."""
    if process_of_group()[0] == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def own_share(samples: int) -> slice:
    """Return which of a batch's samples are this process's: neighbours, so that they are a slice."""
    rank, ranks = process_of_group()
    return slice(samples * rank // ranks, samples * (rank + 1) // ranks)


def total(sums: torch.Tensor) -> torch.Tensor:
    """Return the sum over all processes; every one must ask."""
    sums = sums.clone()
    if process_of_group()[1] > 1:
        distributed.all_reduce(sums)
    return sums


def together(skipped: Mapping[str, str]) -> dict[str, str]:
    """Return what any process has skipped; every one must ask."""
    found = [dict(skipped)] * process_of_group()[1]
    if len(found) > 1:
        distributed.all_gather_object(found, dict(skipped))
    return {item: reason for part in found for item, reason in part.items()}


def what_place_decides(device: torch.device, threads: int, processes: int) -> dict[str, Any]:
    """Return what a training's weights depend on of where it ran, for the key of its ledger.

    On the CPU the same gives the same bytes, to which the order of sums matters. A GPU's sums have
    no order: its run may go on on another number of them.
    """
    if device.type == "cpu":
        return {"device": "cpu", "threads": threads, "processes": processes}
    return {"device": device.type}


def _refuse_divergence(values: Iterable[float], done: int, sheet: str) -> None:
    if not torch.isfinite(torch.tensor(list(values))).all():
        raise UserError(
            f"the training diverged by iteration {done}; lower the entry's learning_rate in {sheet}"
        )
