"""Train a Vision Transformer to trace frames to their source images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.common.code import code_checksum
from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint
from scripts.common.ledger import LEDGER, JobLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.models.devices import pick_device
from scripts.trace.cosface import Recipe
from scripts.trace.training_job import TrainingJob, run_training
from scripts.trace.training_processes import train_together


def train_cosface(
    frames: Sequence[Path],
    frame_indexes: Sequence[Path],
    images: Sequence[Path],
    image_indexes: Sequence[Path],
    weights: Path,
    training: Path,
    *,
    entry: Mapping[str, Any],
    seed: int,
    device: str = "auto",
    devices: int = 1,
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Train the tracer 'Ours' of Table 5 on some generators (Supplements 15 and 16).

    A source image and its generated frames are one class; a CosFace is trained on all classes,
    and dropped. An unchanged run is recalled; a killed one resumes.

    Args:
        frames: tars of decoded frames of the generators to learn from.
        frame_indexes: the ``FRAME_INDEX`` beside each.
        images: tars of the image prompts.
        image_indexes: the item index beside each.
        weights: the safetensors to write: the moving average of the network's weights.
        training: the CSV to write (``TRAINING_COLUMNS``).
        entry: of config/tracers.yaml: ``settings`` of the network, ``training`` (``Recipe``), and
            perhaps ``weights`` to begin from.
        seed: of everything random.
        device: ``cpu``, ``cuda`` or ``auto``.
        devices: GPUs, or processes on the CPU, that share each batch.
        threads: on the CPU, of all processes.
        ledger_root: where the finished run, and the state of a killed one, are kept.

    Returns:
        Counts of training pictures.

    Raises:
        UserError: there is nothing to train on, or the entry is at fault.
    """
    recipe = Recipe.of(entry.get("training") or {})
    place = pick_device(device)
    job = TrainingJob(
        frames=[str(path) for path in frames],
        frame_indexes=[str(path) for path in frame_indexes],
        images=[str(path) for path in images],
        image_indexes=[str(path) for path in image_indexes],
        weights=str(weights),
        training=str(training),
        entry=dict(entry),
        seed=seed,
        device=place.type,
        threads=max(1, threads // devices),
    )
    pictures = job.find_pictures()
    counts = Counts(kept=len(pictures))
    for reason, number in pictures.rejected.items():
        counts.reject(reason, number)
    if len(pictures.classes) < 2:
        raise UserError("one class cannot be told from others; raise generate.prompts")
    per_batch = min(recipe.batch_size // recipe.instances, len(pictures.classes))
    if per_batch < devices:
        raise UserError(
            f"a batch of {per_batch} classes cannot be shared by {devices} devices; lower "
            "trace.training_gpu, or raise 'training.batch_size' in config/tracers.yaml"
        )
    run = fingerprint(
        **_what_decides(job, devices),
        pictures=pictures.digest,
        code=code_checksum("scripts/trace/train_cosface.py", plumbing=False),
    )
    ledger = JobLedger(ledger_root / "trace" / run / "training")
    outputs = {"weights.safetensors": weights, "training.csv": training}
    if ledger.recall(outputs):
        return counts
    job = replace(job, checkpoint=str(ledger.checkpoint))
    if devices == 1:
        run_training(job, pictures, place)
    else:
        train_together(job, devices)
    ledger.remember(outputs)
    return counts


def _what_decides(job: TrainingJob, devices: int) -> dict[str, Any]:
    """Return what the result depends on, so that a killed run resumes where only the rest changed.

    On the CPU the same gives the same bytes, to which the order of sums matters. A GPU's sums have
    no order: its run may go on on another number of them.
    """
    entry = {key: job.entry.get(key) for key in ("backend", "weights", "settings")}
    without_effect = {"cache_mb", "checkpoint_every", "workers"}
    parts: dict[str, Any] = {"seed": job.seed, "device": job.device}
    if job.device == "cpu":
        parts |= {"threads": job.threads, "devices": devices}
    else:
        without_effect |= {"compile", "micro_batch"}
    training = job.entry.get("training") or {}
    entry["training"] = {k: v for k, v in training.items() if k not in without_effect}
    return parts | {"entry": entry}


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = train_cosface(
            frames=[Path(path) for path in snakemake.input.frames],
            frame_indexes=[Path(path) for path in snakemake.input.frame_indexes],
            images=[Path(path) for path in snakemake.input.images],
            image_indexes=[Path(path) for path in snakemake.input.image_indexes],
            weights=Path(snakemake.output.weights),
            training=Path(snakemake.output.training),
            entry=snakemake.params.entry,
            seed=snakemake.params.seed,
            devices=max(1, snakemake.resources.gpu),
            threads=snakemake.threads,
        )
        log.finish(counts)
