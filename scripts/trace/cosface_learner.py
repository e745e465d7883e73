"""One step of CosFace training: forward, backward, update, average; alone or in a process group."""

import contextlib

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from scripts.common.devices import PRECISIONS
from scripts.trace.cosface import CosFace, MovingAverage, Recipe
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.vision_transformer import VisionTransformer


class Learner:
    """A network, its head, and how a batch changes them: one step of training at a time."""

    def __init__(
        self,
        network: VisionTransformer,
        head: CosFace,
        recipe: Recipe,
        *,
        preprocessing: Preprocessing,
        device: torch.device,
    ):
        """Put both on the device, ready to learn.

        Args:
            network: maps normalised pictures to embeddings.
            head: maps embeddings and classes to the loss.
            recipe: the settings.
            preprocessing: how pixels are normalised.
            device: where to train.
        """
        torch.set_float32_matmul_precision("high")  # TF32, as the author's trainer
        self.network, self.head = network.to(device).train(), head.to(device)
        self.optimiser = torch.optim.Adam(
            [*self.network.parameters(), *self.head.parameters()],
            lr=recipe.learning_rate,
            fused=device.type == "cuda" or None,
        )
        self._rank, self._ranks = process_of_group()
        # Of the first process alone, as what is kept is written by it.
        self.average = MovingAverage(self.network, recipe.average) if self._rank == 0 else None
        self._device, self._micro_batch = device, recipe.micro_batch
        if recipe.compile:
            self.network.compile()
        self._loss = _Loss(self.network, self.head, preprocessing, recipe.precision)
        if self._ranks > 1:
            self._loss = DistributedDataParallel(
                self._loss,
                device_ids=[device] if device.type == "cuda" else None,
                gradient_as_bucket_view=True,
            )

    def step(
        self,
        pixels: torch.Tensor,
        labels: torch.Tensor,
        kept: torch.Tensor | None,
        *,
        rate: float,
        batch_size: int,
    ) -> torch.Tensor:
        """Learn from this process's pictures of a batch.

        Args:
            pixels: uint8 of shape (pictures, 3, side, side).
            labels: class of each, shape (pictures,).
            kept: of these pictures, from ``VisionTransformer.draw_kept``.
            rate: the learning rate.
            batch_size: pictures in the whole batch, over all processes.

        Returns:
            Loss and accuracy: the means over the batch, or this process's part of them.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        results = torch.zeros(2, device=self._device)
        at_once = self._micro_batch or len(labels)
        for start in range(0, len(labels), at_once):
            part = slice(start, start + at_once)
            here = [
                None if tensor is None else tensor[part].to(self._device, non_blocking=True)
                for tensor in (pixels, labels, kept)
            ]
            share = len(here[1]) / batch_size
            with self._gathered() if start + at_once < len(labels) else contextlib.nullcontext():
                loss, accuracy = self._loss(*here)
                # Processes' gradients are averaged: each must count as if it were all of them.
                (loss * (share * self._ranks)).backward()
            results += torch.stack([loss.detach(), accuracy]) * share
        self.optimiser.step()
        if self.average is not None:
            self.average.update()
        return results

    def averaged(self) -> dict[str, torch.Tensor]:
        """Return the moving average of the weights; of the first process only."""
        return {} if self.average is None else self.average.state

    def _gathered(self) -> contextlib.AbstractContextManager:
        """Leave gradients in this process, since more of the batch follows."""
        return self._loss.no_sync() if self._ranks > 1 else contextlib.nullcontext()


class _Loss(nn.Module):
    """From pictures to the loss, as one module: what a process group keeps in step."""

    def __init__(
        self, network: nn.Module, head: CosFace, preprocessing: Preprocessing, precision: str
    ):
        super().__init__()
        self.network, self.head = network, head
        self._preprocessing, self._precision = preprocessing, PRECISIONS[precision]

    def forward(
        self, pixels: torch.Tensor, labels: torch.Tensor, kept: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss and the accuracy."""
        pixels = self._preprocessing.normalise(pixels)
        lower = self._precision != torch.float32
        with torch.autocast(pixels.device.type, self._precision, enabled=lower):
            embeddings = self.network(pixels, kept)
        return self.head(embeddings, labels)


def process_of_group() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many train together."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()
