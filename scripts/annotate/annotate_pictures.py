"""Annotate the image prompts of one shard: embeddings and safety (Section 3)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.annotate.annotator import Annotation, Annotator
from scripts.annotate.embedding import EMBEDDING
from scripts.common.code import settings_of
from scripts.common.engine import run
from scripts.common.ledger import LEDGER
from scripts.common.pictures import decode_picture
from scripts.common.roles import ImageSafety
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.annotate import IMAGE_NSFW, NSFW, SAFE
from scripts.common.shards import Shard

SCRIPT = "scripts/annotate/annotate_pictures.py"


def annotate_pictures(
    images: Shard,
    outputs: Mapping[str, Path],
    *,
    part: str,
    entries: Mapping[str, Mapping[str, Any]],
    batch_size: int,
    workers: int = 1,
    device: str = "cpu",
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the annotations of each image; one that cannot be decoded is rejected.

    Each image is read and decoded once for all annotators, the next ones by threads while the
    models work. One whose bytes have changed is looked at again, and no other.

    Args:
        images: the images.
        outputs: annotation -> its table; ``vectors`` -> that of the embeddings.
        part: name of the shard.
        entries: one of ``PICTURE_ANNOTATIONS`` -> its annotator.
        batch_size: images per call of a model; it changes no result.
        workers: threads that read images and prepare them for the models.
        device: ``cpu``, ``cuda`` or ``auto``.
        ledger_root: folder of the ledgers.

    Returns:
        Counts of images, all annotations together.
    """
    versions = {uuid: images.rows[uuid]["sha256"] for uuid in images.uuids}
    annotators = [
        Annotator(entry, name, part, SCRIPT, device, ledger_root=ledger_root)
        for name, entry in entries.items()
    ]
    kinds = [PICTURE_ANNOTATIONS[annotator.annotation] for annotator in annotators]
    tasks = [
        annotator.task(kind, versions, prepare=_prepare, batch_size=batch_size)
        for annotator, kind in zip(annotators, kinds, strict=True)
    ]

    def read(uuid: str) -> np.ndarray:
        return decode_picture(images.read(uuid))

    run(tasks, read, what=f"pictures {part}", workers=workers)
    written = zip(annotators, tasks, kinds, strict=True)
    counts = [annotator.write(task, kind, outputs) for annotator, task, kind in written]
    return sum(counts, Counts(declared=0))


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
    with rule_log(snakemake.log[0]) as log:
        counts = annotate_pictures(
            Shard(Path(snakemake.input.tar), Path(snakemake.input.index)),
            {name: Path(path) for name, path in snakemake.output.items()},
            part=snakemake.wildcards.shard,
            workers=snakemake.threads,
            **settings_of(snakemake.params),
        )
        log.finish(counts)
