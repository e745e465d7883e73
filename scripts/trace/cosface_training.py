"""CosFace training as one process sees it: from pictures and an entry to weights and a table."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch.utils.data import DataLoader

from scripts.common.identity import derived_seed
from scripts.common.schemas.trace import TRAINING_COLUMNS
from scripts.models.devices import prepare_torch
from scripts.models.training import Batch, Course, Lesson, train
from scripts.models.training_processes import process_of_group
from scripts.models.training_state import TrainingState
from scripts.trace.class_batches import ClassBatches
from scripts.trace.cosface import CosFace, Recipe
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.training_pictures import (
    PictureDataset,
    TrainingPictures,
    collate,
    find_training_pictures,
)
from scripts.trace.vision_transformer import VisionTransformer, build_vision_transformer


@dataclass(frozen=True)
class TrainingJob:
    """What each process of a training run is told, JSON-like.

    Attributes:
        frames: tars of decoded frames.
        frame_indexes: the ``FRAME_INDEX`` beside each.
        images: tars of the image prompts.
        image_indexes: the item index beside each.
        weights: the safetensors to write.
        training: the CSV to write.
        entry: of config/tracers.yaml.
        seed: of everything random.
        threads: of a process, on the CPU.
        checkpoint: the state from which a killed run resumes.
    """

    frames: list[str]
    frame_indexes: list[str]
    images: list[str]
    image_indexes: list[str]
    weights: str
    training: str
    entry: dict[str, Any]
    seed: int
    threads: int
    checkpoint: str = ""

    def told(self) -> dict[str, Any]:
        """Return the job as ``run_training`` takes it."""
        return asdict(self)

    def find_pictures(self) -> TrainingPictures:
        """Return the pictures to learn from; see ``find_training_pictures``."""
        files = (self.frames, self.frame_indexes, self.images, self.image_indexes)
        return find_training_pictures(*([Path(path) for path in paths] for paths in files))


class TellingApart(Lesson):
    """From pictures to CosFace's loss, and the share whose class is nearest."""

    values = 2

    def __init__(self, network: VisionTransformer, head: CosFace, preprocessing: Preprocessing):
        """Take a network, which is kept, the head on it, and how pixels are normalised."""
        super().__init__()
        self.network, self.head = network, head
        self._preprocessing = preprocessing

    def forward(
        self, pixels: torch.Tensor, labels: torch.Tensor, kept: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss and the accuracy.

        Args:
            pixels: uint8 of shape (pictures, 3, side, side).
            labels: class of each, shape (pictures,).
            kept: of these pictures, from ``VisionTransformer.draw_kept``.
        """
        embeddings = self.network(self._preprocessing.normalise(pixels), kept)
        return self.head(embeddings, labels)


def run_training(
    told: Mapping[str, Any], device: torch.device, pictures: TrainingPictures | None = None
) -> None:
    """Train, in this process or as one of its group; the first process writes the outputs.

    Args:
        told: a ``TrainingJob``.
        device: where this process trains.
        pictures: what to learn from, the same in each process, where it is known already.

    Raises:
        UserError: the entry is at fault, or see ``train``.
    """
    job = TrainingJob(**told)
    pictures = pictures or job.find_pictures()
    recipe = Recipe.of(job.entry.get("training") or {})
    prepare_torch(job.threads, derived_seed(job.seed, "weights"))
    torch.set_float32_matmul_precision("high")  # TF32, as the author's trainer
    settings = job.entry["settings"]
    network = build_vision_transformer(
        settings["model"],
        settings["image_size"],
        drop_path=recipe.drop_path,
        weights=job.entry.get("weights"),
    )
    if recipe.compile:
        network.compile()
    shaping = ("image_size", "interpolation", "normalisation")
    preprocessing = Preprocessing(**{key: settings[key] for key in shaping if key in settings})
    dataset = PictureDataset(pictures, preprocessing, cache_mb=recipe.cache_mb)
    head = CosFace(
        len(pictures.classes), settings["dimension"], margin=recipe.margin, scale=recipe.scale
    )
    weights = Path(job.weights)

    def batches_from(start: int) -> Iterator[Batch]:
        return _batches(network, pictures, dataset, recipe, job.seed, device, start)

    state, run = train(
        TellingApart(network, head, preprocessing),
        course_of(recipe, len(pictures.classes), job.seed, device),
        batches_from,
        TrainingState(Path(job.checkpoint)),
        device=device,
        what=f"train {weights.stem}",
    )
    if process_of_group()[0] == 0:
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_bytes(save(state))
        rows = [[(done - 1) // recipe.iterations, done, *rest] for done, *rest in run.rows]
        write_rows(rows, Path(job.training))


def course_of(recipe: Recipe, classes: int, seed: int, device: torch.device) -> Course:
    """Return the recipe as the training loop takes it: Adam, and the average is what is kept."""
    return Course(
        steps=recipe.steps,
        batch_size=recipe.classes_per_batch(classes) * recipe.instances,
        rate=lambda step: recipe.rate(step // recipe.iterations),
        optimiser=lambda parameters: torch.optim.Adam(
            parameters, lr=recipe.learning_rate, fused=device.type == "cuda" or None
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
    network: VisionTransformer,
    pictures: TrainingPictures,
    dataset: PictureDataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    start: int,
) -> Iterator[Batch]:
    """Yield the batches from a step on: pixels, classes, and what stochastic depth keeps."""
    rank, ranks = process_of_group()
    batches = ClassBatches(
        pictures.labels,
        pictures.sources,
        batch_size=recipe.batch_size,
        instances=recipe.instances,
        spread=recipe.spread,
        start=start,
        stop=recipe.steps,
        seed=seed,
        rank=rank,
        ranks=ranks,
    )
    for step, batch in enumerate(load(dataset, batches, recipe, device), start):
        drawn = torch.Generator().manual_seed(derived_seed(seed, "step", step))
        kept = network.draw_kept(batches.batch_size, drawn)
        if isinstance(batch, str):
            yield batch
        else:
            yield (*batch, None if kept is None else kept[batches.own]), ()


def load(
    dataset: PictureDataset, batches: ClassBatches, recipe: Recipe, device: torch.device
) -> DataLoader:
    """Return the loader of a run's batches: (pixels, labels), or a sentence on a fault.

    Each worker holds its batch and the next, so that memory is bounded by their number.
    """
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=recipe.workers,
        collate_fn=collate,
        pin_memory=device.type == "cuda",
    )


def write_rows(rows: Sequence[Sequence[float]], path: Path) -> None:
    """Write the training table (``TRAINING_COLUMNS``)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TRAINING_COLUMNS)
        for row in rows:
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
