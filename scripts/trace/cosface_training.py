"""The training loop of CosFace, the same on a GPU and on a CPU; a killed run resumes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from scripts.common.identity import derived_seed
from scripts.common.progress import progress
from scripts.common.schemas.trace import TRAINING_COLUMNS
from scripts.trace.class_batches import ClassBatches
from scripts.trace.cosface import CosFace, MovingAverage, Recipe
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.torch_tracer import PRECISIONS
from scripts.trace.training_pictures import TrainingPictures


def train(
    network: nn.Module,
    pictures: TrainingPictures,
    dataset: Dataset,
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
    was killed and resumed ends with the same weights as one that was not.

    Args:
        network: maps normalised pictures to embeddings.
        pictures: classes and sources of the dataset's items.
        dataset: yields (uint8 picture, class).
        recipe: the settings.
        dimension: of the embeddings.
        preprocessing: how pixels are normalised.
        device: where to train.
        seed: of everything random.
        checkpoint: file of the state from which a killed run resumes; it is removed at the end.
        what: name of the progress bar.

    Returns:
        The moving average of the network's weights, on the CPU, and the rows of the training
        table.
    """
    torch.set_float32_matmul_precision("high")  # TF32, as the author's trainer
    network = network.to(device).train()
    head = CosFace(len(pictures.classes), dimension, margin=recipe.margin, scale=recipe.scale)
    head = head.to(device)
    optimiser = torch.optim.Adam(
        [*network.parameters(), *head.parameters()], lr=recipe.learning_rate
    )
    average = MovingAverage(network, recipe.average)
    rows: list[dict[str, Any]] = []
    start = _resume(checkpoint, network, head, optimiser, average, rows, device)
    batches = ClassBatches(
        pictures.labels,
        pictures.sources,
        batch_size=recipe.batch_size,
        instances=recipe.instances,
        start=start,
        stop=recipe.steps,
        seed=seed,
    )
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=recipe.workers,
        pin_memory=device.type == "cuda",
        persistent_workers=recipe.workers > 0,
    )
    precision = PRECISIONS[recipe.precision]
    sums = torch.zeros(2, device=device)
    since = start
    for step, (pixels, labels) in enumerate(progress(loader, what), start):
        torch.manual_seed(derived_seed(seed, "step", step))
        epoch = step // recipe.iterations
        rate = recipe.rate(epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        pixels = preprocessing.normalise(pixels.to(device, non_blocking=True))
        labels = labels.to(device, non_blocking=True)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            embeddings = network(pixels)
        loss, accuracy = head(embeddings, labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        average.update()
        sums += torch.stack([loss.detach(), accuracy])
        done = step + 1
        if done % recipe.log_every == 0 or done == recipe.steps:
            mean_loss, mean_accuracy = (sums / (done - since)).tolist()
            values = (epoch, done, rate, mean_loss, mean_accuracy)
            rows.append(dict(zip(TRAINING_COLUMNS, values, strict=True)))
            sums.zero_()
            since = done
        # Only where a row ended, so that no half-filled mean is lost.
        if done % recipe.checkpoint_every == 0 and since == done and done < recipe.steps:
            _save(checkpoint, network, head, optimiser, average, rows, done)
    checkpoint.unlink(missing_ok=True)
    return {name: value.cpu().contiguous() for name, value in average.state.items()}, rows


def _save(
    checkpoint: Path,
    network: nn.Module,
    head: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: MovingAverage,
    rows: list[dict[str, Any]],
    done: int,
) -> None:
    state = {
        "done": done,
        "network": network.state_dict(),
        "head": head.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.state,
        "updates": average.updates,
        "rows": rows,
    }
    temporary = checkpoint.with_name(f"{checkpoint.name}.{os.getpid()}")
    torch.save(state, temporary)
    os.replace(temporary, checkpoint)


def _resume(
    checkpoint: Path,
    network: nn.Module,
    head: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: MovingAverage,
    rows: list[dict[str, Any]],
    device: torch.device,
) -> int:
    """Load what an earlier run left, and return how many steps it had done."""
    if not checkpoint.is_file():
        return 0
    state: Mapping[str, Any] = torch.load(checkpoint, map_location=device, weights_only=True)
    network.load_state_dict(state["network"])
    head.load_state_dict(state["head"])
    optimiser.load_state_dict(state["optimiser"])
    average.load(state["average"], state["updates"])
    rows.extend(state["rows"])
    return state["done"]
