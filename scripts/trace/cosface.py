"""What CosFace training is made of: its loss, its schedule, the average of its weights.

The recipe is that of Supplement 16; where it is silent, that of the author's published trainers
(https://github.com/WangWenhao0716/ID2, AnyPattern), whose constants the supplement repeats: Adam
without decay of the weights, the schedule by epochs, torch-ema after every iteration with the
average as what is tested, TF32, no augmentation.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from scripts.common.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run; the defaults are the paper's.

    Attributes:
        epochs: passes of the schedule; an epoch is ``iterations`` batches, not a pass of the data.
        iterations: batches in an epoch.
        batch_size: pictures in a batch, over all devices.
        instances: pictures of a class in a batch.
        learning_rate: the largest.
        warmup_epochs: epochs of the linear rise.
        hold_epochs: epochs at the largest rate before it falls as a cosine.
        margin: subtracted from the cosine of the right class.
        scale: factor on the cosines.
        average: decay of the moving average of the weights, which is what is kept.
        spread: whether the pictures of a class in a batch come from as many generators as there
            are; the reference draws any (see ``ClassBatches``).
        drop_path: stochastic depth of the network.
        precision: ``float32`` or ``bfloat16`` (autocast of the network; the head, the weights and
            their updates stay float32).
        micro_batch: pictures that a device takes at once, where its share of the batch does not
            fit in its memory; 0 is the whole share. The gradient is that of the batch either way.
        compile: whether torch.compile makes the network's kernels (minutes, once in a run).
        log_every: iterations per row of the training table.
        checkpoint_every: iterations between states from which a killed job resumes.
        workers: processes that read pictures, for each device; 0 reads in the training's own.
        cache_mb: decoded pictures kept in memory, for each reading process.
    """

    epochs: int = 25
    iterations: int = 2000
    batch_size: int = 512
    instances: int = 4
    learning_rate: float = 3.5e-4
    warmup_epochs: int = 5
    hold_epochs: int = 5
    margin: float = 0.35
    scale: float = 64.0
    average: float = 0.9999
    spread: bool = False
    drop_path: float = 0.0
    precision: str = "float32"
    micro_batch: int = 0
    compile: bool = False
    log_every: int = 100
    checkpoint_every: int = 500
    workers: int = 0
    cache_mb: int = 0

    @classmethod
    def of(cls, training: Mapping[str, Any]) -> "Recipe":
        """Return the recipe that an entry of config/tracers.yaml gives under ``training``.

        Raises:
            UserError: there is no such setting, or it cannot be as it is.
        """
        unknown = sorted(set(training) - set(cls.__dataclass_fields__))
        if unknown:
            raise UserError(
                f"config/tracers.yaml: 'training' has no key '{unknown[0]}'; it may have: "
                f"{', '.join(cls.__dataclass_fields__)}"
            )
        recipe = cls(**training)
        for key in ("epochs", "iterations", "batch_size", "instances", "log_every"):
            if getattr(recipe, key) < 1:
                raise UserError(
                    f"config/tracers.yaml: 'training.{key}' is {getattr(recipe, key)}; it must be "
                    "at least 1"
                )
        if recipe.warmup_epochs + recipe.hold_epochs > recipe.epochs:
            raise UserError(
                f"config/tracers.yaml: 'training.warmup_epochs' and 'training.hold_epochs' are "
                f"{recipe.warmup_epochs} and {recipe.hold_epochs}, more than the {recipe.epochs} "
                "of 'training.epochs'"
            )
        if recipe.batch_size % recipe.instances:
            raise UserError(
                f"config/tracers.yaml: 'training.batch_size' is {recipe.batch_size}, which is no "
                f"multiple of 'training.instances', {recipe.instances}"
            )
        return recipe

    @property
    def steps(self) -> int:
        """Batches in the whole run."""
        return self.epochs * self.iterations

    def classes_per_batch(self, classes: int) -> int:
        """Return the classes in a batch, where there are so many in all."""
        return min(self.batch_size // self.instances, classes)

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        factor = schedule_factor(
            epoch, epochs=self.epochs, warmup=self.warmup_epochs, hold=self.hold_epochs
        )
        return self.learning_rate * factor


def schedule_factor(epoch: int, *, epochs: int = 25, warmup: int = 5, hold: int = 5) -> float:
    """Return the factor on the learning rate: a rise from 0.01, a plateau, a cosine to 0."""
    if epoch < warmup:
        return 0.01 + 0.99 * epoch / warmup
    falling = epoch - warmup - hold
    if falling < 0:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * falling / (epochs - warmup - hold)))


class CosFace(nn.Module):
    """The classifier of training: a direction per class, and a margin (Wang et al., CVPR 2018)."""

    def __init__(self, classes: int, dimension: int, *, margin: float, scale: float):
        """Draw the directions.

        Args:
            classes: number of classes.
            dimension: of the embeddings.
            margin: subtracted from the cosine of the right class.
            scale: factor on the cosines.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, dimension))
        nn.init.xavier_uniform_(self.weight)
        self._margin, self._scale = margin, scale

    def forward(
        self, embeddings: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss, and the share of the embeddings whose class is nearest.

        Args:
            embeddings: of shape (batch, dimension), of any length.
            labels: class of each, shape (batch,).
        """
        # Cosines in float32 whatever the network's precision: bfloat16 rounds one near 1 by up to
        # 1/256, which the scale of 64 makes a quarter of a logit.
        with torch.autocast(embeddings.device.type, enabled=False):
            cosines = functional.linear(
                functional.normalize(embeddings.float(), dim=1),
                functional.normalize(self.weight, dim=1),
            )
            right = labels.unsqueeze(1)
            margins = torch.full_like(right, -self._margin, dtype=cosines.dtype)
            logits = self._scale * cosines.scatter_add(1, right, margins)
            loss = functional.cross_entropy(logits, labels)
        accuracy = (cosines.detach().argmax(dim=1) == labels).float().mean()
        return loss, accuracy
