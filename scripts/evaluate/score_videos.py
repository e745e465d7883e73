"""Score one shard of a generator's videos of TIP-Eval in every dimension (Section 5.2, S12)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common.backends import load_backend
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected
from scripts.common.fingerprints import fingerprint
from scripts.common.identity import shard_of
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, RowLedger
from scripts.common.pictures import decode_picture
from scripts.common.roles import Dimension, EvaluationItem, Remarking
from scripts.common.rule_log import Counts
from scripts.common.schemas.evaluate import SCORES
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.shards import Shards
from scripts.common.tables import read_table, write_table
from scripts.common.video import read_frames

SCRIPT = "scripts/evaluate/score_videos.py"


@dataclass(frozen=True)
class VideoShard:
    """The prompts, videos and image prompts of one shard.

    Attributes:
        prompts: TIP-Eval with the columns uuid and prompt.
        generator: name of the generator.
        videos: the shard's videos.
        images: tars that hold the prompts' images, and perhaps others.
        shard: number of the shard...
        shards: ...of so many: the prompts whose UUID falls into it are wanted.
        max_decoded_mb: the largest video that is decoded, in MB of uncompressed frames.
    """

    prompts: Path
    generator: str
    videos: Shards
    images: Shards
    shard: int
    shards: int
    max_decoded_mb: int

    def texts(self) -> dict[str, str]:
        """Return the wanted prompts, by UUID, sorted."""
        rows = read_table(self.prompts, columns=["uuid", "prompt"]).sort_by("uuid").to_pylist()
        return {
            row["uuid"]: row["prompt"]
            for row in rows
            if shard_of(row["uuid"], self.shards) == self.shard
        }

    def why_missing(self, uuid: str) -> str | None:
        """Return why an item cannot even be tried, or None."""
        if uuid not in self.videos:
            return self.videos.reason(uuid, "no_video")
        if uuid not in self.images:
            return self.images.reason(uuid, "no_image")
        video = self.videos.rows[uuid]
        decoded_mb = video["width"] * video["height"] * 3 * video["frames"] / 1e6
        return "too_large" if decoded_mb > self.max_decoded_mb else None

    def frames(self, uuid: str) -> int | None:
        """Return how many frames an item's video has, if there is one."""
        return self.videos.rows[uuid]["frames"] if uuid in self.videos.rows else None

    def version(self, uuid: str, prompt: str) -> str:
        """Return a fingerprint of what is scored: the same for the same bytes."""
        video, image = self.videos.rows[uuid]["sha256"], self.images.rows[uuid]["sha256"]
        return fingerprint(video=video, image=image, prompt=prompt)

    def read(self, uuid: str, prompt: str) -> EvaluationItem:
        """Return an item, decoded.

        Raises:
            Rejected: the video or the image cannot be decoded.
        """
        return EvaluationItem(
            frames=read_frames(self.videos.read(uuid)),
            fps=self.videos.rows[uuid]["fps"],
            prompt=prompt,
            image=decode_picture(self.images.read(uuid)),
        )


def score_videos(
    shard: VideoShard,
    scores: Path,
    *,
    entries: Mapping[str, Mapping[str, Any]],
    device: str = "cpu",
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Score the videos of one shard; a prompt whose video cannot be scored has a reason.

    A video is decoded once for all dimensions, the next one while the models work. Finished scores
    are kept in the ledger under the checksum of what was scored, so that a video that was made
    anew is scored anew, and no other.

    Args:
        shard: what is scored.
        scores: where the table goes (``SCORES``).
        entries: dimension, which becomes the column metric -> its backend, weights and settings.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: that decode.
        ledger_root: folder of the ledgers.

    Raises:
        UserError: weights or an input are missing, or nothing could be scored.
    """
    texts = shard.texts()
    absent = {uuid: shard.why_missing(uuid) for uuid in texts}
    versions = {uuid: shard.version(uuid, texts[uuid]) for uuid in texts if absent[uuid] is None}
    tasks = [
        _task(name, entry, shard.generator, versions, device=device,
              folder=ledger_root / "evaluate", part=f"{shard.generator}-{shard.shard:05d}")
        for name, entry in entries.items()
    ]  # fmt: skip
    what = f"score {shard.generator} {shard.shard:05d}"
    run(tasks, lambda uuid: shard.read(uuid, texts[uuid]), what=what, workers=threads)
    table, notes = [], []
    for task in tasks:
        missing = {uuid: Rejected(reason) for uuid, reason in absent.items() if reason}
        task.faults.update(missing)
        rows = [
            _row(shard.generator, task.name, uuid, fault) for uuid, fault in task.faults.items()
        ]
        finished = task.ledger.read([uuid for uuid in versions if uuid not in task.faults])
        table += [*rows, *finished.to_pylist()]
        notes += [f"{task.name}: {note}" for note in task.notes]
    for row in table:
        row["frames"] = shard.frames(row["item"])
    write_table(table, scores, SCORES, sort_by=["metric", "item"])
    counts = Counts.of_statuses({(row["metric"], row["item"]): row["reason"] for row in table})
    counts.declared = len(texts) * len(tasks)
    remarks = [row["remark"] for row in table if row["remark"]]
    counts.notes = notes + [f"{remarks.count(each):,} of {each}" for each in sorted(set(remarks))]
    return counts


def _task(
    name: str,
    entry: Mapping[str, Any],
    generator: str,
    versions: Mapping[str, str],
    *,
    device: str,
    folder: Path,
    part: str,
) -> Task:
    """Return what one dimension does."""

    def work(dimension: Dimension, items: Sequence[EvaluationItem]) -> list[tuple | Rejected]:
        return [_scored(dimension, item) for item in items]

    def finish(uuid: str, value: tuple[float, str | None]) -> dict | Rejected:
        score, remark = value
        if not math.isfinite(score):
            return Rejected("not_a_number")
        return _row(generator, name, uuid) | {"value": score, "remark": remark}

    key = ledger_key(SCRIPT, entry, name=name)
    return Task(
        name=name,
        items=versions,
        ledger=RowLedger(folder / key / part, SCORES, key="item"),
        load=lambda: load_backend(entry, device=device),
        work=work,
        finish=finish,
        failure="scoring_failed",
    )


def _scored(dimension: Dimension, item: EvaluationItem) -> tuple | Rejected:
    """Return an item's score and a remark on it, if there is one."""
    try:
        value = float(dimension.score(item))
    except Rejected as fault:
        return fault
    return value, dimension.remark(item) if isinstance(dimension, Remarking) else None


def _row(generator: str, dimension: str, uuid: str, fault: Rejected | None = None) -> dict:
    return {
        "generator": generator,
        "item": uuid,
        "metric": dimension,
        "value": None,
        "frames": None,
        "status": OK if fault is None else REJECTED,
        "reason": fault and fault.reason,
        "remark": None,
    }


def score_shard(
    prompts: Path,
    videos: Path,
    video_index: Path,
    images: Sequence[Path],
    image_indexes: Sequence[Path],
    scores: Path,
    *,
    generator: str,
    shard: int,
    shards: int,
    max_decoded_mb: int,
    entries: Mapping[str, Mapping[str, Any]],
    device: str,
    threads: int,
) -> Counts:
    """Score one shard of a generator's videos; arguments as ``VideoShard`` and ``score_videos``."""
    wanted = VideoShard(
        prompts=prompts,
        generator=generator,
        videos=Shards([videos], [video_index]),
        images=Shards(images, image_indexes),
        shard=shard,
        shards=shards,
        max_decoded_mb=max_decoded_mb,
    )
    return score_videos(wanted, scores, entries=entries, device=device, threads=threads)


if __name__ == "__main__":
    run_job(score_shard, snakemake)
