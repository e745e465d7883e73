"""Animate the chosen prompts' images with one image-to-video generator (Section 3)."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.code import code_checksum, settings_of
from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import fingerprint
from scripts.common.identity import derived_seed, shard_of
from scripts.common.ledger import LEDGER, FileLedger
from scripts.common.pictures import decode_picture
from scripts.common.roles import Generator
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.generate import CHOSEN
from scripts.common.shards import ShardItem, Shards, write_shard
from scripts.common.tables import read_frame
from scripts.common.video import encode_video, probe_video

CRF = 18
"""Rate factor of every generator's videos, hardly visible: the encoder must not tell them apart."""
FAILURES_IN_A_ROW = 10
"""So many failures one after the other are the machine's fault, not the items'."""


def generate_videos(
    chosen: Path,
    image_tars: Sequence[Path | str],
    image_indexes: Sequence[Path | str],
    tar: Path,
    index: Path,
    *,
    generator: str,
    entry: Mapping[str, Any],
    shard: str,
    shards: int,
    seed: int,
    ledger_root: Path = LEDGER,
    note: Callable[[str], None] = lambda message: None,
) -> Counts:
    """Animate the images of one shard's prompts, and resume where a killed run stopped.

    Every wanted prompt gets a row of the index: with its video, or ``no_image``, ``undecodable``
    or ``generation_failed``. The seed of a video depends on the run's seed, the generator's name
    and the prompt alone.

    Args:
        chosen: the chosen prompts (``CHOSEN``).
        image_tars: tars with the image prompts of this shard, and perhaps more...
        image_indexes: ...and the indexes beside them.
        tar: output, ``<uuid>.mp4`` members, H.264.
        index: output (``ITEM_INDEX``).
        generator: name of the entry.
        entry: ``backend``, ``weights``, ``settings`` of the generator.
        shard: this shard's name.
        shards: number of shards of generated videos.
        seed: of the run.
        ledger_root: where finished videos outlive a killed job.
        note: takes what a reader of the log would want to know.

    Raises:
        UserError: the generator cannot be loaded, or fails many times in a row.
    """
    prompts = _prompts_of_shard(chosen, int(shard), shards)
    images = Shards(image_tars, image_indexes)
    work = fingerprint(
        backend=entry["backend"],
        weights=entry.get("weights"),
        settings=entry.get("settings"),
        seed=seed,
        code=code_checksum("scripts/generate/generate_videos.py", entry["backend"], plumbing=False),
    )
    ledger = FileLedger(ledger_root / "generate" / work / f"{generator}-{shard}")
    maker = _VideoMaker(generator, entry, seed, prompts, images, note)
    # The prompt follows from the UUID; its image does not, and may have changed.
    checksums = {uuid: images.rows[uuid]["sha256"] for uuid in prompts if uuid in images}
    what = f"{generator} {shard}"
    items = ledger.complete(sorted(prompts), maker.make, what=what, versions=checksums)
    counts = write_shard(tar, index, items, "mp4")
    counts.declared = len(prompts)
    ledger.finish(tar, index)
    note(f"{generator} {shard}: made {maker.made:,} videos, recalled {counts.kept - maker.made:,}")
    return counts


class _VideoMaker:
    """Makes the video of one prompt after the other; loads the generator when it is first needed."""

    def __init__(
        self,
        name: str,
        entry: Mapping[str, Any],
        seed: int,
        prompts: Mapping[str, str],
        images: Shards,
        note: Callable[[str], None],
    ):
        self._name, self._entry, self._seed = name, entry, seed
        self._prompts, self._images, self._note = prompts, images, note
        self._backend: Generator | None = None
        self._failures: list[str] = []
        self.made = 0

    def make(self, uuid: str) -> ShardItem:
        """Return the video of a prompt, or why there is none."""
        if uuid not in self._images:
            return ShardItem(uuid, reason="no_image")
        try:
            image = decode_picture(self._images.read(uuid))
        except Rejected as fault:
            return ShardItem(uuid, reason=fault.reason)
        if self._backend is None:
            self._backend = load_backend(self._entry, device="auto")
        try:
            seed = derived_seed(self._seed, self._name, uuid)
            frames, fps = self._backend.generate(image, self._prompts[uuid], seed=seed)
            data = encode_video(_checked(frames), fps, crf=CRF)
            properties = probe_video(data)
        except Exception as error:  # whatever a model raises on one item, the others are done
            self._failed(uuid, error)
            return ShardItem(uuid, reason="generation_failed")
        self._failures.clear()
        self.made += 1
        return ShardItem(uuid, data, properties)

    def _failed(self, uuid: str, error: Exception) -> None:
        self._failures.append(f"{type(error).__name__}: {error}".splitlines()[0])
        self._note(f"{uuid}: generation_failed: {self._failures[-1]}")
        if len(self._failures) >= FAILURES_IN_A_ROW:
            raise UserError(
                f"generator '{self._name}' failed {len(self._failures)} times in a row, first "
                f"with '{self._failures[0]}'; mend that and run again: finished videos are kept"
            ) from error


def _prompts_of_shard(chosen: Path, shard: int, shards: int) -> dict[str, str]:
    table = read_frame(chosen, CHOSEN, ["uuid", "prompt"])
    return {
        uuid: prompt
        for uuid, prompt in zip(table["uuid"], table["prompt"], strict=True)
        if shard_of(uuid, shards) == shard
    }


def _checked(frames: np.ndarray) -> np.ndarray:
    """Return frames if they are what the protocol says, which a new generator may get wrong."""
    shape = getattr(frames, "shape", ())
    if len(shape) != 4 or shape[3] != 3 or not shape[0] or shape[1] % 2 or shape[2] % 2:
        raise ValueError(f"frames of shape {shape} are not (frames, even height, even width, 3)")
    if frames.dtype != np.uint8:
        raise ValueError(f"frames are {frames.dtype}, not uint8")
    return frames


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = generate_videos(
            Path(snakemake.input.chosen),
            snakemake.input.images,
            snakemake.input.image_indexes,
            Path(snakemake.output.tar),
            Path(snakemake.output.index),
            **snakemake.wildcards,
            **settings_of(snakemake.params),
            note=log.info,
        )
        log.finish(counts)
