"""Train a Vision Transformer to trace frames to their source images."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save

from scripts.common.devices import pick_device, prepare_torch
from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint, hash_code
from scripts.common.identity import derived_seed
from scripts.common.ledger import LEDGER, JobLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.trace import TRAINING_COLUMNS
from scripts.trace.cosface import Recipe
from scripts.trace.cosface_training import train
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.training_pictures import PictureDataset, find_training_pictures
from scripts.trace.vision_transformer import build_vision_transformer


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
    threads: int = 1,
    ledger_root: Path = LEDGER,
    code: Sequence[Path | str] = (),
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
        threads: on the CPU.
        ledger_root: where the finished run, and the state of a killed one, are kept.
        code: the modules that decide the result.

    Returns:
        Counts of training pictures.

    Raises:
        UserError: there is nothing to train on, or the entry is at fault.
    """
    recipe = Recipe.of(entry.get("training") or {})
    pictures = find_training_pictures(frames, frame_indexes, images, image_indexes)
    counts = Counts(kept=len(pictures))
    for reason, number in pictures.rejected.items():
        counts.reject(reason, number)
    if len(pictures.classes) < 2:
        raise UserError("one class cannot be told from others; raise generate.prompts")
    place = pick_device(device)
    run = fingerprint(
        entry={key: entry.get(key) for key in ("backend", "weights", "settings", "training")},
        pictures=pictures.digest,
        seed=seed,
        device=place.type,
        threads=threads,
        code=hash_code(code, "trace"),
    )
    ledger = JobLedger(ledger_root / "trace" / run / "training")
    outputs = {"weights.safetensors": weights, "training.csv": training}
    if ledger.recall(outputs):
        return counts
    prepare_torch(threads, derived_seed(seed, "weights"))
    settings = entry["settings"]
    network = build_vision_transformer(
        settings["model"],
        settings["image_size"],
        drop_path=recipe.drop_path,
        weights=entry.get("weights"),
    )
    shaping = ("image_size", "interpolation", "normalisation")
    preprocessing = Preprocessing(**{key: settings[key] for key in shaping if key in settings})
    state, rows = train(
        network,
        pictures,
        PictureDataset(pictures, preprocessing, cache_mb=recipe.cache_mb),
        recipe,
        dimension=settings["dimension"],
        preprocessing=preprocessing,
        device=place,
        seed=seed,
        checkpoint=ledger.checkpoint,
        what=f"train {weights.stem}",
    )
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(save(state))
    _write_rows(rows, training)
    ledger.remember(outputs)
    return counts


def _write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, TRAINING_COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()}
            )


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
            threads=snakemake.threads,
            code=snakemake.input.code,
        )
        log.finish(counts)
