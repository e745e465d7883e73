"""CosFace training as one process sees it: from pictures and an entry to weights and a table."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.utils.data import DataLoader

from scripts.common.backends import find_backend
from scripts.common.errors import UserError
from scripts.common.identity import derived_seed
from scripts.common.schemas.trace import TRAINING_COLUMNS
from scripts.models.devices import prepare_torch
from scripts.models.training import Batch, Course, Lesson, own_share, train
from scripts.models.training_processes import process_of_group
from scripts.models.training_state import TrainingState
from scripts.trace.class_batches import ClassBatches
from scripts.trace.cosface import CosFace, Recipe, draw_kept, tokens_of
from scripts.trace.heads import build_head
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.training_pictures import (
    PictureDataset,
    TrainingPictures,
    collate,
    find_training_pictures,
)


class TellingApart(Lesson):
    """From pictures to CosFace's loss, and the share whose class is nearest."""

    values = 2

    def __init__(
        self,
        network: nn.Module,
        head: CosFace,
        preprocessing: Preprocessing,
        pooled: nn.Module | None = None,
    ):
        """Take a network, which is kept, and what follows it.

        Args:
            network: a Vision Transformer of timm, or what describes pixels itself.
            head: the classifier.
            preprocessing: how pixels are normalised.
            pooled: what stands between network and head, and has no weights (``build_head``).
        """
        super().__init__()
        self.network, self.head = network, head
        self.preprocessing, self._pooled = preprocessing, pooled or nn.Identity()

    def forward(
        self, pixels: torch.Tensor, labels: torch.Tensor, kept: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss and the accuracy.

        Args:
            pixels: uint8 of shape (pictures, 3, side, side).
            labels: class of each, shape (pictures,).
            kept: of these pictures, from ``draw_kept``.
        """
        pixels = self.preprocessing.normalise(pixels)
        if not isinstance(self.network, VisionTransformer):
            return self.head(self.network(pixels), labels)
        tokens = tokens_of(self.network, pixels, kept)
        return self.head(self._pooled(self.network.forward_head(tokens)), labels)


def build_lesson(entry: Mapping[str, Any], classes: int) -> TellingApart:
    """Return what is to be trained, with random weights or with those that the entry begins from.

    Raises:
        UserError: the backend or its network cannot be trained, or the weights are another's.
    """
    recipe, settings = Recipe.of(entry.get("training") or {}), entry["settings"]
    backend = find_backend(entry)
    if not hasattr(backend, "trainable"):
        raise UserError(
            f"config/tracers.yaml: a {backend.__name__} cannot be trained; name another"
        )
    network = backend.trainable(entry.get("weights"), settings)
    head = CosFace(classes, settings["dimension"], margin=recipe.margin, scale=recipe.scale)
    shaping = {key: settings[key] for key in Preprocessing.__dataclass_fields__ if key in settings}
    shaping["interpolation"] = recipe.interpolation
    pooled = build_head(settings.get("head") or (), {}, "an untrained network")
    lesson = TellingApart(network, head, Preprocessing(**shaping), pooled)
    if recipe.compile:
        lesson.compile()
    return lesson


def run_training(
    told: Mapping[str, Any], device: torch.device, pictures: TrainingPictures | None = None
) -> None:
    """Train, in this process or as one of its group; the first process writes the outputs.

    Args:
        told: arguments of ``train_cosface``, paths perhaps as text; ``threads`` are a process's,
            ``checkpoint`` is the state from which a killed run resumes.
        device: where this process trains.
        pictures: what to learn from, the same in each process, where it is known already.

    Raises:
        UserError: the entry is at fault, or see ``train``.
    """
    entry, seed, weights = told["entry"], told["seed"], Path(told["weights"])
    if pictures is None:
        files = ([Path(path) for path in told[name]] for name in ("frames", "frame_indexes"))
        pictures = find_training_pictures(*files, Path(told["images"]))
    recipe = Recipe.of(entry.get("training") or {})
    prepare_torch(told["threads"], derived_seed(seed, "weights"))
    torch.set_float32_matmul_precision("high")  # TF32, as the author's trainer
    lesson = build_lesson(entry, len(pictures.classes))
    dataset = PictureDataset(pictures, lesson.preprocessing, cache_mb=recipe.cache_mb)
    state, run = train(
        lesson,
        course_of(recipe, len(pictures.classes), seed, device),
        partial(_batches, lesson.network, pictures, dataset, recipe, seed, device),
        TrainingState(Path(told["checkpoint"])),
        device=device,
        what=f"train {weights.stem}",
    )
    if process_of_group()[0] == 0:
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_bytes(save(state))
        rows = [[(done - 1) // recipe.iterations, done, *rest] for done, *rest in run.rows]
        table = pd.DataFrame(rows, columns=list(TRAINING_COLUMNS))
        table.to_csv(told["training"], index=False, lineterminator="\n", float_format="%.6g")


def course_of(recipe: Recipe, classes: int, seed: int, device: torch.device) -> Course:
    """Return the recipe as the training loop takes it: Adam, and the average is what is kept."""
    return Course(
        steps=recipe.steps,
        batch_size=recipe.classes_per_batch(classes) * recipe.instances,
        rate=lambda step: recipe.rate(step // recipe.iterations),
        optimiser=lambda parameters: torch.optim.Adam(
            [one for one in parameters if one.requires_grad],
            lr=recipe.learning_rate,
            fused=device.type == "cuda" or None,
        ),
        seed=seed,
        sheet="config/tracers.yaml",
        precision=recipe.precision,
        average=recipe.average,
        micro_batch=recipe.micro_batch,
        log_every=recipe.log_every,
        checkpoint_every=recipe.checkpoint_every,
    )


def _batches(
    network: nn.Module,
    pictures: TrainingPictures,
    dataset: PictureDataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    start: int,
) -> Iterator[Batch]:
    """Yield the batches from a step on: pixels, classes, and what stochastic depth keeps.

    Each worker holds its batch and the next, so that memory is bounded by their number.
    """
    batches = ClassBatches(
        pictures.labels,
        pictures.sources,
        batch_size=recipe.batch_size,
        instances=recipe.instances,
        spread=recipe.spread,
        start=start,
        stop=recipe.steps,
        seed=seed,
    )
    # A class's pictures stay together, so that a process has some classes of each batch.
    mine = own_share(batches.classes)
    own = slice(mine.start * recipe.instances, mine.stop * recipe.instances)
    loader = DataLoader(
        dataset,
        batch_sampler=(numbers[own] for numbers in batches),
        num_workers=recipe.workers,
        collate_fn=collate,
        pin_memory=device.type == "cuda",
    )
    for step, batch in enumerate(loader, start):
        drawn = torch.Generator().manual_seed(derived_seed(seed, "step", step))
        kept = draw_kept(
            len(getattr(network, "blocks", ())),
            recipe.drop_path,
            batches.classes * recipe.instances,
            drawn,
        )
        if isinstance(batch, str):
            yield batch
        else:
            yield (*batch, None if kept is None else kept[own]), ()
