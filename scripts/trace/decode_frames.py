"""Decode the frames that TIP-Trace wants of one shard of a generator's videos."""

import io
import tarfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.identity import shard_of
from scripts.common.pictures import encode_png
from scripts.common.progress import progress
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import TRACE_FRAMES, TRAIN
from scripts.common.schemas.trace import FRAME_INDEX
from scripts.common.shards import Shard
from scripts.common.tables import read_table, write_table
from scripts.common.video import read_frames

JPEG_QUALITY = 95


def decode_frames(
    wanted: Path,
    videos: Path,
    video_index: Path,
    frames: Path,
    frame_index: Path,
    *,
    shards: int,
    training_side: int,
) -> Counts:
    """Decode a shard's training and query frames (Supplement 15), each video once, in order.

    Every tracer then reads pictures, and training never decodes a video. Query frames are kept
    as they are (PNG); training frames are squeezed to the square that the trained tracer takes
    (JPEG), which is a twentieth of their size.

    Args:
        wanted: ``TRACE_FRAMES`` of the generator.
        videos: the shard's tar.
        video_index: the index beside it.
        frames: the tar to write; members are ``<uuid>.<frame>.png`` and ``<uuid>.<frame>.jpg``,
            which WebDataset reads as one sample per video.
        frame_index: the ``FRAME_INDEX`` beside it.
        shards: number of shards of the generator's videos.
        training_side: side of the training frames in pixels.

    Returns:
        Counts of frames.
    """
    number = int(videos.stem)
    rows = [
        row
        for row in read_table(wanted, TRACE_FRAMES, ["uuid", "part", "frame"]).to_pylist()
        if shard_of(row["uuid"], shards) == number
    ]
    rows.sort(key=lambda row: (row["uuid"], row["frame"], row["part"]))
    shard = Shard(videos, video_index)
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row["uuid"])]
    counts = Counts(declared=len(rows))
    frames.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(frames, "w", format=tarfile.USTAR_FORMAT) as archive:
        for group in progress(groups, f"decode frames {videos.parent.name} {videos.stem}"):
            for row, data in zip(group, _decode(shard, group, training_side), strict=True):
                if isinstance(data, str):
                    row |= {"status": REJECTED, "reason": data}
                    counts.reject(data)
                else:
                    row |= {"status": OK, **_add(archive, row, data)}
                    counts.keep()
    write_table(rows, frame_index, FRAME_INDEX, sort_by=["uuid", "frame", "part"])
    return counts


def _decode(shard: Shard, rows: Sequence[dict], training_side: int) -> Iterator[bytes | str]:
    """Yield each frame of one video as a picture's bytes, or the reason why there is none."""
    uuid = rows[0]["uuid"]
    if uuid not in shard:
        yield from [shard.rows.get(uuid, {}).get("reason") or "no_video"] * len(rows)
        return
    try:
        pictures = read_frames(shard.read(uuid), [row["frame"] for row in rows])
    except Rejected as error:
        yield from [error.reason] * len(rows)
        return
    except UserError:
        yield from ["damaged_tar"] * len(rows)
        return
    for row, picture in zip(rows, pictures, strict=True):
        if row["part"] == TRAIN:
            yield _encode_jpeg(picture, training_side)
        else:
            yield encode_png(picture)


def _encode_jpeg(picture: np.ndarray, side: int) -> bytes:
    target = io.BytesIO()
    squeezed = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    squeezed.save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return target.getvalue()


def _add(archive: tarfile.TarFile, row: dict, data: bytes) -> dict:
    extension = "jpg" if row["part"] == TRAIN else "png"
    member = tarfile.TarInfo(f"{row['uuid']}.{row['frame']:05d}.{extension}")
    member.size, member.mtime, member.mode = len(data), 0, 0o644
    offset = archive.offset + tarfile.BLOCKSIZE
    archive.addfile(member, io.BytesIO(data))
    return {"offset": offset, "size_bytes": len(data), "sha256": sha256_of(data)}


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = decode_frames(
            wanted=Path(snakemake.input.wanted),
            videos=Path(snakemake.input.videos),
            video_index=Path(snakemake.input.video_index),
            frames=Path(snakemake.output.frames),
            frame_index=Path(snakemake.output.frame_index),
            shards=snakemake.params.shards,
            training_side=snakemake.params.training_side,
        )
        log.finish(counts)
