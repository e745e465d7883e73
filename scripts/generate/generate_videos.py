"""Animate the chosen prompts' images with one image-to-video generator (Section 3)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected
from scripts.common.identity import derived_seed, shard_of
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, FileLedger
from scripts.common.pictures import decode_picture
from scripts.common.roles import Generator
from scripts.common.rule_log import Counts
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.items import GENERATED_INDEX
from scripts.common.shards import ShardItem, Shards, write_shard
from scripts.common.tables import read_frame
from scripts.common.video import encode_video, probe_video

CRF = 18
"""Rate factor of every generator's videos, hardly visible: the encoder must not tell them apart."""
BLANK = 2
"""Levels of 255 within which all pixels of a video lie if it shows nothing; each, if it is still."""
SCRIPT = "scripts/generate/generate_videos.py"


@dataclass(frozen=True)
class Animation:
    """What a generator is asked for: to animate an image as a prompt says, with a seed."""

    image: np.ndarray
    prompt: str
    seed: int


def generate_videos(
    chosen: Path,
    images: Sequence[Path | str],
    image_indexes: Sequence[Path | str],
    tar: Path,
    index: Path,
    *,
    generator: str,
    entry: Mapping[str, Any],
    shard: str,
    shards: int,
    seed: int,
    threads: int = 1,
    ledger_root: Path = LEDGER,
    note: Callable[[str], None] = lambda message: None,
) -> Counts:
    """Animate the images of one shard's prompts, and resume where a killed run stopped.

    Every wanted prompt gets a row of the index: with its video, or ``no_image``, ``undecodable``,
    ``generation_failed``, ``guardrail_refused``, ``blank_video``, ``frozen_video`` or
    ``not_a_number``; all say how the generator ran (``speed``). The seed of a video depends on the
    run's seed, the generator's name and the prompt alone.

    Args:
        chosen: the chosen prompts (``CHOSEN``).
        images: tars with the image prompts of this shard, and perhaps more...
        image_indexes: ...and the indexes beside them.
        tar: output, ``<uuid>.mp4`` members, H.264.
        index: output (``GENERATED_INDEX``).
        generator: name of the entry.
        entry: ``backend``, ``weights``, ``settings`` of the generator.
        shard: this shard's name.
        shards: number of shards of generated videos.
        seed: of the run.
        threads: that decode images while the generator works.
        ledger_root: where finished videos outlive a killed job.
        note: takes what a reader of the log would want to know.

    Raises:
        UserError: the generator cannot be loaded, fails many times in a row, or lacks memory.
    """
    prompts = _prompts_of_shard(chosen, int(shard), shards)
    pictures = Shards(images, image_indexes)
    # The prompt follows from the UUID; its image does not, and may have changed.
    versions = {
        uuid: pictures.rows[uuid]["sha256"] if uuid in pictures else None
        for uuid in sorted(prompts)
    }

    def read(uuid: str) -> Animation:
        own_seed = derived_seed(seed, generator, uuid)
        return Animation(decode_picture(pictures.read(uuid)), prompts[uuid], own_seed)

    ledger = FileLedger(
        ledger_root / "generate" / ledger_key(SCRIPT, entry, seed=seed) / f"{generator}-{shard}"
    )
    task = Task(
        name=f"generator '{generator}'",
        items=versions,
        faults={uuid: Rejected("no_image") for uuid in prompts if uuid not in pictures},
        ledger=ledger,
        load=partial(load_backend, entry, device="auto"),
        work=_animate,
        finish=lambda uuid, data: ShardItem(uuid, data, probe_video(data)),
        failure="generation_failed",
    )
    run([task], read, what=f"{generator} {shard}", workers=threads)
    items = (
        ShardItem(uuid, reason=task.faults[uuid].reason)
        if uuid in task.faults
        else ledger.get(uuid, version)
        for uuid, version in versions.items()
    )
    speed = "fast" if "cache" in (entry.get("settings") or {}) else "fidelity"
    counts = write_shard(tar, index, items, "mp4", GENERATED_INDEX, speed=speed)
    counts.declared, counts.notes = len(prompts), task.notes
    ledger.finish(tar, index)
    note(f"{generator} {shard}: made {task.done:,} videos, recalled {counts.kept - task.done:,}")
    return counts


def _animate(backend: Generator, wanted: Sequence[Animation]) -> list[bytes | Rejected]:
    videos: list[bytes | Rejected] = []
    for each in wanted:
        try:
            frames, fps, *sound = backend.generate(each.image, each.prompt, seed=each.seed)
            track = sound[0] if sound else None
            videos.append(encode_video(_checked(frames), fps, crf=CRF, sound=track))
        except Rejected as fault:
            videos.append(fault)
    return videos


def _prompts_of_shard(chosen: Path, shard: int, shards: int) -> dict[str, str]:
    table = read_frame(chosen, CHOSEN, ["uuid", "prompt"])
    return {
        uuid: prompt
        for uuid, prompt in zip(table["uuid"], table["prompt"], strict=True)
        if shard_of(uuid, shards) == shard
    }


def _checked(frames: np.ndarray) -> np.ndarray:
    """Return frames if they are what the protocol says, which a new generator may get wrong.

    Raises:
        Rejected: blank_video, which shows one colour alone from its start to its end, or
            frozen_video, of which no pixel changes.
    """
    shape = getattr(frames, "shape", ())
    if len(shape) != 4 or shape[3] != 3 or not shape[0] or shape[1] % 2 or shape[2] % 2:
        raise ValueError(f"frames of shape {shape} are not (frames, even height, even width, 3)")
    if frames.dtype != np.uint8:
        raise ValueError(f"frames are {frames.dtype}, not uint8")
    if np.ptp(frames) <= BLANK:
        raise Rejected("blank_video")
    if len(frames) > 1 and np.ptp(frames, axis=0).max() <= BLANK:
        raise Rejected("frozen_video")
    return frames


if __name__ == "__main__":
    run_job(generate_videos, snakemake)
