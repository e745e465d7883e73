"""The training loop of CosFace, the same on one GPU, on several and on a CPU; it resumes."""

from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.utils.data import DataLoader

from scripts.common.errors import UserError
from scripts.common.identity import derived_seed
from scripts.common.progress import progress
from scripts.common.schemas.trace import TRAINING_COLUMNS
from scripts.trace.class_batches import ClassBatches
from scripts.trace.cosface import CosFace, Recipe
from scripts.trace.cosface_learner import Learner, process_of_group
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.training_pictures import PictureDataset, TrainingPictures, collate
from scripts.trace.training_state import TrainingState
from scripts.trace.vision_transformer import VisionTransformer


def train(
    network: VisionTransformer,
    pictures: TrainingPictures,
    dataset: PictureDataset,
    recipe: Recipe,
    *,
    dimension: int,
    preprocessing: Preprocessing,
    device: torch.device,
    seed: int,
    checkpoint: Path,
    what: str = "train",
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """Train a network to tell the classes apart (Supplement 16).

    Whatever is random in a step derives from the seed and the step's number, so that a run which
    was killed and resumed ends with the same weights as one that was not. In a process group
    (torch.distributed) each process takes its share of every batch: the gradient, and but for the
    order of its sums the result, is that of one process.

    Args:
        network: maps normalised pictures to embeddings; the same in each process.
        pictures: classes and sources of the dataset's items.
        dataset: yields (uint8 picture, class).
        recipe: the settings.
        dimension: of the embeddings.
        preprocessing: how pixels are normalised.
        device: where this process trains.
        seed: of everything random.
        checkpoint: file of the state from which a killed run resumes; it is removed at the end.
        what: name of the progress bar.

    Returns:
        The moving average of the network's weights, on the CPU, and the rows of the training
        table; both are whole in the first process only.

    Raises:
        UserError: a picture cannot be read, or the checkpoint is damaged.
    """
    rank, ranks = process_of_group()
    head = CosFace(len(pictures.classes), dimension, margin=recipe.margin, scale=recipe.scale)
    learner = Learner(network, head, recipe, preprocessing=preprocessing, device=device)
    state = TrainingState(checkpoint, learner, device)
    start, rows = state.resume()
    sums = state.sums
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
    loader = load(dataset, batches, recipe, device)
    shown = progress(loader, what, total=len(batches)) if rank == 0 else iter(loader)
    for step, batch in enumerate(shown, start):
        if isinstance(batch, str):
            raise UserError(batch)
        epoch = step // recipe.iterations
        drawn = torch.Generator().manual_seed(derived_seed(seed, "step", step))
        kept = network.draw_kept(batches.batch_size, drawn)
        sums += learner.step(
            *batch,
            None if kept is None else kept[batches.own],
            rate=recipe.rate(epoch),
            batch_size=batches.batch_size,
        )
        done = step + 1
        if done % recipe.log_every == 0 or done == recipe.steps:
            loss, accuracy = (total(sums) / (done - state.row_start)).tolist()
            values = (epoch, done, recipe.rate(epoch), loss, accuracy)
            rows.append(dict(zip(TRAINING_COLUMNS, values, strict=True)))
            sums.zero_()
            state.row_start = done
        if done % recipe.checkpoint_every == 0 and done < recipe.steps:
            state.save(done, rows, total(sums))
    state.remove()
    return {name: value.cpu().contiguous() for name, value in learner.averaged().items()}, rows


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


def total(sums: torch.Tensor) -> torch.Tensor:
    """Return the sum over all processes; every one must ask."""
    sums = sums.clone()
    if process_of_group()[1] > 1:
        distributed.all_reduce(sums)
    return sums
