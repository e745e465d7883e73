"""Annotate the image prompts of one shard: embeddings and safety (Section 3)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.annotate.annotator import Annotation, Annotator
from scripts.annotate.embedding import EMBEDDING
from scripts.common.engine import run
from scripts.common.job import files_of, run_job
from scripts.common.ledger import LEDGER
from scripts.common.pictures import decode_picture
from scripts.common.roles import ImageSafety
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import IMAGE_NSFW, NSFW, SAFE
from scripts.common.shards import Shard

SCRIPT = "scripts/annotate/annotate_pictures.py"


def annotate_pictures(
    tars: Sequence[Path],
    indexes: Sequence[Path],
    outputs: Mapping[str, Sequence[Path]],
    *,
    entries: Mapping[str, Mapping[str, Any]],
    batch_size: int,
    threads: int = 1,
    device: str = "cpu",
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the annotations of each image; one that cannot be decoded is rejected.

    Each image is read and decoded once for all annotators, the next ones by threads while the
    models work. One whose bytes have changed is looked at again, and no other.

    Args:
        tars: of the images, one for each shard.
        indexes: beside them (``ITEM_INDEX``); their stems are the shards.
        outputs: annotation -> its tables, in the same order; ``vectors`` -> those of embeddings.
        entries: one of ``PICTURE_ANNOTATIONS`` -> its annotator.
        batch_size: images per call of a model; it changes no result.
        threads: read images and prepare them for the models.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of images, all annotations together.
    """
    kinds, counts = PICTURE_ANNOTATIONS, Counts(declared=0)
    annotators = [
        Annotator(entry, name, script=SCRIPT, device=device, ledger_root=ledger_root)
        for name, entry in entries.items()
    ]
    for number, (tar, index) in enumerate(zip(tars, indexes, strict=True)):
        images, part = Shard(tar, index), index.stem
        versions = {uuid: images.rows[uuid]["sha256"] for uuid in images.uuids}
        settings = {"part": part, "prepare": _prepare, "batch_size": batch_size}
        tasks = [one.task(kinds[one.annotation], versions, **settings) for one in annotators]

        def read(uuid: str, images: Shard = images) -> np.ndarray:
            return decode_picture(images.read(uuid))

        run(tasks, read, what=f"pictures {part}", workers=threads)
        for annotator, task in zip(annotators, tasks, strict=True):
            paths = {name: tables[number] for name, tables in outputs.items()}
            counts += annotator.write(task, kinds[annotator.annotation], paths)
    return counts


def _prepare(backend: Any, picture: np.ndarray) -> Any:
    """Return a picture as the backend takes it: as it is, if it says nothing of that."""
    return backend.prepare(picture) if hasattr(backend, "prepare") else picture


def _score(safety: ImageSafety, pictures: Sequence[Any]) -> Iterator[dict]:
    for score in safety.score(pictures).tolist():
        yield {"score": score, "label": NSFW if score >= safety.threshold else SAFE}


PICTURE_ANNOTATIONS = {
    "image_embedding": EMBEDDING,
    "image_nsfw": Annotation(_score, dict, IMAGE_NSFW),
}
"""Embeddings, and a score with a label that the annotator's ``threshold`` decides."""


if __name__ == "__main__":
    run_job(annotate_pictures, snakemake, outputs=files_of(snakemake.output))
