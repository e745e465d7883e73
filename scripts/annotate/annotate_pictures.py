"""Annotate the image prompts of one shard: embeddings and safety (Section 3)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.annotate.annotator import Annotation, Annotator
from scripts.annotate.embedding import EMBEDDING
from scripts.common.engine import run
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER
from scripts.common.pictures import decode_picture
from scripts.common.roles import ImageSafety
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import IMAGE_NSFW, NSFW, SAFE
from scripts.common.shards import Shard

SCRIPT = "scripts/annotate/annotate_pictures.py"


def annotate_pictures(
    tar: Path,
    index: Path,
    outputs: Mapping[str, Path],
    *,
    shard: str,
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
        tar: of the images.
        index: beside it (``ITEM_INDEX``).
        outputs: annotation -> its table; ``vectors`` -> that of the embeddings.
        shard: its name.
        entries: one of ``PICTURE_ANNOTATIONS`` -> its annotator.
        batch_size: images per call of a model; it changes no result.
        threads: read images and prepare them for the models.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of images, all annotations together.
    """
    images, kinds = Shard(tar, index), PICTURE_ANNOTATIONS
    versions = {uuid: images.rows[uuid]["sha256"] for uuid in images.uuids}
    annotators = [
        Annotator(entry, name, shard, SCRIPT, device, ledger_root=ledger_root)
        for name, entry in entries.items()
    ]
    tasks = [
        one.task(kinds[one.annotation], versions, prepare=_prepare, batch_size=batch_size)
        for one in annotators
    ]

    def read(uuid: str) -> np.ndarray:
        return decode_picture(images.read(uuid))

    run(tasks, read, what=f"pictures {shard}", workers=threads)
    counts = Counts(declared=0)
    for annotator, task in zip(annotators, tasks, strict=True):
        counts += annotator.write(task, kinds[annotator.annotation], outputs)
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
    files = {name: Path(path) for name, path in snakemake.output.items()}
    run_job(annotate_pictures, snakemake, outputs=files)
