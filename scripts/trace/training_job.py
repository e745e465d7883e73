"""A training run as one process sees it: from pictures and an entry to weights and a table."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from scripts.common.identity import derived_seed
from scripts.common.schemas.trace import TRAINING_COLUMNS
from scripts.models.devices import prepare_torch
from scripts.trace.cosface import Recipe
from scripts.trace.cosface_learner import process_of_group
from scripts.trace.cosface_training import train
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.training_pictures import (
    PictureDataset,
    TrainingPictures,
    find_training_pictures,
)
from scripts.trace.vision_transformer import build_vision_transformer


@dataclass(frozen=True)
class TrainingJob:
    """What each process of a training run is told; as JSON it goes from one to the others.

    Attributes:
        frames: tars of decoded frames.
        frame_indexes: the ``FRAME_INDEX`` beside each.
        images: tars of the image prompts.
        image_indexes: the item index beside each.
        weights: the safetensors to write.
        training: the CSV to write.
        entry: of config/tracers.yaml.
        seed: of everything random.
        device: ``cpu`` or ``cuda``.
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
    device: str
    threads: int
    checkpoint: str = ""

    def to_json(self) -> str:
        """Return the job as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "TrainingJob":
        """Return the job that ``to_json`` wrote."""
        return cls(**json.loads(text))

    def find_pictures(self) -> TrainingPictures:
        """Return the pictures to learn from; see ``find_training_pictures``."""
        files = (self.frames, self.frame_indexes, self.images, self.image_indexes)
        return find_training_pictures(*([Path(path) for path in paths] for paths in files))


def run_training(job: TrainingJob, pictures: TrainingPictures, device: torch.device) -> None:
    """Train, in this process or as one of its group; the first process writes the outputs.

    Args:
        job: what to do.
        pictures: what to learn from; the same in each process.
        device: where this process trains.

    Raises:
        UserError: the entry is at fault, or see ``train``.
    """
    recipe = Recipe.of(job.entry.get("training") or {})
    prepare_torch(job.threads, derived_seed(job.seed, "weights"))
    settings = job.entry["settings"]
    network = build_vision_transformer(
        settings["model"],
        settings["image_size"],
        drop_path=recipe.drop_path,
        weights=job.entry.get("weights"),
    )
    shaping = ("image_size", "interpolation", "normalisation")
    preprocessing = Preprocessing(**{key: settings[key] for key in shaping if key in settings})
    weights = Path(job.weights)
    state, rows = train(
        network,
        pictures,
        PictureDataset(pictures, preprocessing, cache_mb=recipe.cache_mb),
        recipe,
        dimension=settings["dimension"],
        preprocessing=preprocessing,
        device=device,
        seed=job.seed,
        checkpoint=Path(job.checkpoint),
        what=f"train {weights.stem}",
    )
    if process_of_group()[0] == 0:
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_bytes(save(state))
        write_rows(rows, Path(job.training))


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the training table (``TRAINING_COLUMNS``)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, TRAINING_COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()}
            )
