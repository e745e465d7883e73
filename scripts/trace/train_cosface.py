"""Train a Vision Transformer to trace frames to their source images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.engine import ledger_key
from scripts.common.errors import UserError
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, JobLedger
from scripts.common.rule_log import Counts
from scripts.common.seen import write_seen
from scripts.models.devices import pick_device
from scripts.models.training import what_place_decides
from scripts.models.training_processes import train_on
from scripts.trace.cosface import Recipe
from scripts.trace.cosface_training import run_training
from scripts.trace.training_pictures import find_training_pictures

SCRIPT = "scripts/trace/train_cosface.py"


def train_cosface(
    frames: Sequence[Path],
    frame_indexes: Sequence[Path],
    images: Path,
    weights: Path,
    training: Path,
    *,
    entry: Mapping[str, Any],
    seed: int,
    gpus: int = 0,
    processes: int = 1,
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Train the tracer 'Ours' of Table 5 on some generators (Supplements 15 and 16).

    A source image and its generated frames are one class; a CosFace is trained on all classes,
    and dropped. An unchanged run is recalled; a killed one resumes.

    Args:
        frames: tars of decoded frames of the generators to learn from.
        frame_indexes: the ``FRAME_INDEX`` beside each.
        images: the source images of the training prompts (``TRACE_IMAGES``).
        weights: the safetensors to write: the moving average of the network's weights, and what
            it saw (``write_seen``).
        training: the CSV to write (``TRAINING_COLUMNS``).
        entry: of config/tracers.yaml: ``settings`` of the network, ``training`` (``Recipe``), and
            perhaps ``weights`` to begin from.
        seed: of everything random.
        gpus: that share each batch, each with a process of its own; 0 trains on the CPU.
        processes: that share each batch on the CPU.
        threads: on the CPU, of all processes.
        ledger_root: where the finished run, and the state of a killed one, are kept.

    Returns:
        Counts of training pictures.

    Raises:
        UserError: there is nothing to train on, the entry is at fault, or there are too few GPUs.
    """
    device = pick_device("cuda" if gpus else "cpu")
    processes = gpus or processes
    recipe = Recipe.of(entry.get("training") or {})
    pictures = find_training_pictures(frames, frame_indexes, images)
    counts = Counts(kept=len(pictures), rejected=pictures.rejected)
    if len(pictures.classes) < 2:
        raise UserError("one class cannot be told from others; raise generate.prompts")
    per_batch = recipe.classes_per_batch(len(pictures.classes))
    if per_batch < processes:
        raise UserError(
            f"a batch of {per_batch} classes cannot be shared by {processes} devices; lower "
            "trace.training_gpu, or raise 'training.batch_size' in config/tracers.yaml"
        )
    threads = max(1, threads // processes)
    place = what_place_decides(device, threads, processes)
    without_effect = {"cache_mb", "checkpoint_every", "workers"}
    if gpus:
        without_effect |= {"compile", "micro_batch"}
    decisive = {k: v for k, v in (entry.get("training") or {}).items() if k not in without_effect}
    key = ledger_key(SCRIPT, entry, training=decisive, seed=seed, pictures=pictures.digest, **place)
    ledger = JobLedger(ledger_root / "trace" / key / "training")
    outputs = {"weights.safetensors": weights, "training.csv": training}
    if not ledger.recall(outputs):
        job = {
            **{"frames": frames, "frame_indexes": frame_indexes, "images": images},
            **{"weights": weights, "training": training, "checkpoint": ledger.checkpoint},
            **{"entry": dict(entry), "seed": seed, "threads": threads},
        }
        train_on(run_training, job, device=device, processes=processes, pictures=pictures)
        seen = np.bincount(pictures.sources, minlength=len(pictures.source_names)).tolist()
        write_seen(
            weights,
            sources=dict(zip(pictures.source_names, seen, strict=True)),
            classes=len(pictures.classes),
            uuids=pictures.classes,
        )
        ledger.remember(outputs)
    return counts


if __name__ == "__main__":
    run_job(train_cosface, snakemake)
