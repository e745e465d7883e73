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
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional

from scripts.common.errors import UserError

_AT_LEAST_ONE = ("epochs", "iterations", "batch_size", "instances", "log_every")


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
        interpolation: by which training frames and source images are squeezed.
        jpeg_quality: of the training frames, which are kept squeezed.
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
    interpolation: str = "bicubic"
    jpeg_quality: int = 95
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
        counts = {key: getattr(recipe, key) for key in _AT_LEAST_ONE}
        rising = recipe.warmup_epochs + recipe.hold_epochs
        faults = [
            f"'training.{key}' is {n}; it must be at least 1" for key, n in counts.items() if n < 1
        ]
        if rising > recipe.epochs:
            faults.append(
                f"'training.warmup_epochs' and 'training.hold_epochs' are together {rising}, more "
                f"than the {recipe.epochs} of 'training.epochs'"
            )
        if not faults and recipe.batch_size % recipe.instances:
            faults.append(
                f"'training.batch_size' is {recipe.batch_size}, which is no multiple of "
                f"'training.instances', {recipe.instances}"
            )
        if faults:
            raise UserError(f"config/tracers.yaml: {faults[0]}")
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


def draw_kept(
    blocks: int, drop_path: float, pictures: int, generator: torch.Generator
) -> torch.Tensor | None:
    """Draw which residuals a training step keeps of each picture (stochastic depth).

    timm draws what a block leaves out within the block, in whatever order the pictures come. Here a
    picture's draw depends on its place in the batch alone: the same weights on one GPU and on
    several, in parts of a batch, and after a resumption.

    Args:
        blocks: of the network.
        drop_path: share of the residuals of the last block that is left out; it rises to this from
            0 at the first.
        pictures: in the whole batch.
        generator: of the draw; on the CPU, so that a GPU draws the same.

    Returns:
        Factors of the residuals of shape (pictures, blocks, 2): 0, or what makes up for the
        others; None if nothing is ever left out.
    """
    if not drop_path or blocks < 2:
        return None
    rates = torch.tensor([drop_path * number / (blocks - 1) for number in range(blocks)])[:, None]
    drawn = torch.rand(pictures, blocks, 2, generator=generator)
    return (drawn >= rates) / (1 - rates)


def tokens_of(
    network: VisionTransformer, pixels: torch.Tensor, kept: torch.Tensor | None
) -> torch.Tensor:
    """Return a Vision Transformer's tokens, of which ``forward_head`` makes its features.

    Args:
        network: of timm.
        pixels: normalised, of shape (batch, 3, side, side).
        kept: from ``draw_kept``; None leaves nothing out.
    """
    if kept is None:
        return network.forward_features(pixels)
    tokens = network.norm_pre(network._pos_embed(network.patch_embed(pixels)))
    for block, factors in zip(network.blocks, kept[..., None, None].unbind(1), strict=True):
        tokens = tokens + block.ls1(block.attn(block.norm1(tokens))) * factors[:, 0]
        tokens = tokens + block.ls2(block.mlp(block.norm2(tokens))) * factors[:, 1]
    return network.norm(tokens)
