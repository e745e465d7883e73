"""Score one shard of a generator's videos of TIP-Eval in every dimension (Section 5.2, S12)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
    absent = {uuid: Rejected(why) for uuid in texts if (why := shard.why_missing(uuid))}
    versions = {
        uuid: None if uuid in absent else shard.version(uuid, text) for uuid, text in texts.items()
    }
    folder, part = ledger_root / "evaluate", f"{shard.generator}-{shard.shard:05d}"

    def row(name: str, uuid: str, reason: str | None = None) -> dict:
        status = {"status": OK if reason is None else REJECTED, "reason": reason}
        nothing = dict.fromkeys(("value", "frames", "remark"))
        return {"generator": shard.generator, "item": uuid, "metric": name} | nothing | status

    def finish(name: str, uuid: str, found: tuple[float, str | None]) -> dict | Rejected:
        score, remark = found
        if not math.isfinite(score):
            return Rejected("not_a_number")
        return row(name, uuid) | {"value": score, "remark": remark}

    tasks = [
        Task(
            name=name,
            items=versions,
            faults=dict(absent),
            ledger=RowLedger(
                folder / ledger_key(SCRIPT, entry, name=name) / part, SCORES, key="item"
            ),
            load=partial(load_backend, entry, device=device),
            work=_scores,
            finish=partial(finish, name),
            failure="scoring_failed",
        )
        for name, entry in entries.items()
    ]
    what = f"score {shard.generator} {shard.shard:05d}"
    run(tasks, lambda uuid: shard.read(uuid, texts[uuid]), what=what, workers=threads)
    table = [one for task in tasks for one in task.rows(partial(row, task.name)).to_list()]
    for one in table:
        one["frames"] = shard.frames(one["item"])
    write_table(table, scores, SCORES, sort_by=["metric", "item"])
    counts = Counts.of_statuses({(one["metric"], one["item"]): one["reason"] for one in table})
    counts.declared = len(texts) * len(tasks)
    remarks = [one["remark"] for one in table if one["remark"]]
    counts.notes = [f"{task.name}: {note}" for task in tasks for note in task.notes]
    counts.notes += [f"{remarks.count(each):,} of {each}" for each in sorted(set(remarks))]
    return counts


def _scores(dimension: Dimension, items: Sequence[EvaluationItem]) -> Iterator[tuple | Rejected]:
    """Yield each item's score and a remark on it, if there is one."""
    for item in items:
        try:
            score = float(dimension.score(item))
            yield score, dimension.remark(item) if isinstance(dimension, Remarking) else None
        except Rejected as fault:
            yield fault


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
