"""Make the videos of a control of the bias ledger, of one source of TIP-ID."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.backends import load_backend
from scripts.common.engine import Task, ledger_key, run
from scripts.common.errors import Rejected
from scripts.common.identity import derived_seed, seeded_order
from scripts.common.job import run_job
from scripts.common.ledger import LEDGER, FileLedger
from scripts.common.pictures import decode_picture
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK
from scripts.common.schemas.split import REAL, TEST, TEXT_GENERATED, TIP_ID, TRAIN
from scripts.common.shards import ShardItem, Shards, write_shard
from scripts.common.tables import read_table, write_table
from scripts.common.video import encode_video, probe_video
from scripts.detect.controls import CRF, Control
from scripts.detect.tip_id import Source, Video, needed_tests

SCRIPT = "scripts/detect/make_controls.py"


def make_controls(
    split: Path,
    tars: Sequence[Path],
    indexes: Sequence[Path],
    splits: Sequence[Path],
    images: Sequence[Path],
    image_indexes: Sequence[Path],
    tar: Path,
    index: Path,
    chosen: Path,
    *,
    settings: Mapping[str, Any],
    animator: Mapping[str, Any] | None,
    test: int,
    train: int,
    seed: int,
    threads: int = 1,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write a source's videos under a control, and which of them train and test.

    The same videos of a source are taken for every control, and all that tests here is a part of
    what tests in Tables 3 and 4; what trains never tests.

    Args:
        split: the source's table of TIP-ID.
        tars: its videos.
        indexes: beside the tars, in their order.
        splits: tables of TIP-ID of all sources, by which it is known what test sets use.
        images: tars of image prompts, if the control animates them.
        image_indexes: beside them.
        tar: output, the videos.
        index: output (``ITEM_INDEX``).
        chosen: output (``TIP_ID``), of the videos that are there.
        settings: of ``Control``.
        animator: the entry that animates, if the control has one.
        test: test videos of a class in a test set at most.
        train: training videos of a source at most, if the control is trained.
        seed: of the run.
        threads: that read and encode.
        ledger_root: where finished videos outlive a killed job.
    """
    control, name = Control(**settings), split.stem
    tested = needed_tests(splits, [REAL, TEXT_GENERATED], test, seed)[name]
    rows = {row["uuid"]: row for row in read_table(split, TIP_ID).to_pylist()}
    learnt = [uuid for uuid, row in rows.items() if row["split"] == TRAIN and control.trained]
    parts = {
        TEST: Source(split, tars, indexes, part=TEST, only=tested),
        TRAIN: Source(
            split, tars, indexes, part=TRAIN, only=set(seeded_order(learnt, seed, "train")[:train])
        ),
    }
    pictures = Shards(images, image_indexes)

    def read(uuid: str) -> bytes:
        source = parts[rows[uuid]["split"]]
        if animator is None:
            return control.apply(source.read(source[uuid]), source[uuid])
        image = decode_picture(pictures.read(uuid))
        return animate(image, source[uuid], animator, derived_seed(seed, "control", uuid))

    versions = parts[TEST].versions | parts[TRAIN].versions
    faults = parts[TEST].missing() | parts[TRAIN].missing()
    if animator is not None:
        faults |= {uuid: Rejected("no_image") for uuid in versions if uuid not in pictures}
        versions = {
            uuid: f"{sha256} {pictures.rows[uuid]['sha256']}" if uuid in pictures else sha256
            for uuid, sha256 in versions.items()
        }
    key = ledger_key(SCRIPT, animator, control=dict(settings), seed=seed)
    task = Task(
        name=f"control of {name}",
        items=dict(sorted(versions.items())),
        faults=faults,
        ledger=FileLedger(ledger_root / "detect" / key / name),
        load=partial(Control, **settings),
        work=lambda control, videos: videos,
        finish=lambda uuid, data: ShardItem(uuid, data, probe_video(data)),
    )
    run([task], read, what=f"control of {name}", workers=threads)
    items = (
        ShardItem(uuid, reason=task.faults[uuid].reason)
        if uuid in task.faults
        else task.ledger.get(uuid, version)
        for uuid, version in task.items.items()
    )
    counts = write_shard(tar, index, items, "mp4")
    task.ledger.finish(tar, index)
    made = [row for row in read_table(index).to_pylist() if row["status"] == OK]
    places = [{key: row[key] for key in ("uuid", "offset", "size_bytes")} for row in made]
    listed = [rows[place["uuid"]] | place | {"tar": str(tar)} for place in places]
    write_table(listed, chosen, TIP_ID, sort_by=["uuid"])
    counts.notes += task.notes
    return counts


def animate(image: np.ndarray, video: Video, animator: Mapping[str, Any], seed: int) -> bytes:
    """Return a video of an image prompt that has the rate, the size and the length of another.

    Args:
        image: uint8 RGB, whose middle of the video's proportions is shown.
        video: whose format it gets.
        animator: an entry whose backend takes the settings ``size``, ``frames`` and ``fps``.
        seed: of the move.

    Raises:
        Rejected: undecodable, if the rate of the other video is not known.
    """
    if not video.fps:
        raise Rejected("undecodable", "the frame rate is not known")
    height, width = image.shape[:2]
    shown = min(width / video.width, height / video.height)
    rows, columns = (max(1, round(side * shown)) for side in (video.height, video.width))
    top, left = (height - rows) // 2, (width - columns) // 2
    size = max(video.width, video.height)
    settings = dict(animator["settings"]) | {"size": size, "frames": video.frames, "fps": video.fps}
    backend = load_backend({**animator, "settings": settings})
    frames, fps = backend.generate(image[top : top + rows, left : left + columns], "", seed=seed)
    return encode_video(frames, fps, crf=CRF)


if __name__ == "__main__":
    run_job(make_controls, snakemake)
