"""Decode the frames that TIP-Trace wants of one shard of a generator's videos."""

import io
import tarfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from scripts.common.errors import Rejected, UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.identity import shard_of
from scripts.common.job import run_job
from scripts.common.pictures import encode_png, interpolation_of
from scripts.common.prefetch import work_ahead
from scripts.common.progress import progress
from scripts.common.rule_log import Counts
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import ALONG, TRACE_FRAMES, TRAIN
from scripts.common.schemas.trace import FRAME_INDEX
from scripts.common.shards import Shard
from scripts.common.tables import read_table, write_table
from scripts.common.video import read_frames

_ORDER = ("uuid", "frame", "part")


def decode_frames(
    wanted: Path,
    videos: Path,
    video_index: Path,
    frames: Path,
    frame_index: Path,
    *,
    shards: int,
    side: int,
    interpolation: str,
    jpeg_quality: int,
    threads: int = 1,
) -> Counts:
    """Decode a shard's training and query frames (Supplement 15), each video once, in order.

    Every tracer then reads pictures, and training never decodes a video. Query frames are kept
    as they are (PNG); training frames are squeezed to the square that the trained tracer takes
    (JPEG), which is a twentieth of their size.

    Args:
        wanted: ``TRACE_FRAMES`` of the generator.
        videos: the shard's tar.
        video_index: the index beside it.
        frames: the tar to write; members are ``<uuid>.<frame>.png``, ``.along.png`` and ``.jpg``,
            which WebDataset reads as one sample per video.
        frame_index: the ``FRAME_INDEX`` beside it.
        shards: number of shards of the generator's videos.
        side: of the training frames in pixels.
        interpolation: by which they are squeezed (``interpolation_of``).
        jpeg_quality: of the training frames.
        threads: that decode.

    Returns:
        Counts of frames.
    """
    number = int(videos.stem)
    table = read_table(wanted, TRACE_FRAMES, ["uuid", "part", "frame"])
    uuids = [u for u in table["uuid"].unique().to_pylist() if shard_of(u, shards) == number]
    table = table.filter(pc.is_in(table["uuid"], pa.array(uuids, pa.string())))
    rows = table.sort_by([(name, "ascending") for name in _ORDER]).to_pylist()
    groups = [list(group) for _, group in groupby(rows, key=itemgetter("uuid"))]
    encode = partial(_encode_jpeg, side, interpolation_of(interpolation), jpeg_quality)
    decode = partial(_decode, Shard(videos, video_index), encode)
    decoded = zip(groups, work_ahead(decode, groups, workers=threads, ahead=threads), strict=True)
    counts = Counts(declared=len(rows))
    frames.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(frames, "w", format=tarfile.USTAR_FORMAT) as archive:
        what = f"decode frames {videos.parent.name} {videos.stem}"
        for group, pictures in progress(decoded, what, total=len(groups)):
            for row, data in zip(group, pictures, strict=True):
                if isinstance(data, Rejected):
                    row |= {"status": REJECTED, "reason": data.reason}
                    counts.reject(data.reason)
                    continue
                extension = {TRAIN: "jpg", ALONG: "along.png"}.get(row["part"], "png")
                member = tarfile.TarInfo(f"{row['uuid']}.{row['frame']:05d}.{extension}")
                member.size, member.mtime, member.mode = len(data), 0, 0o644
                row |= {"status": OK, "offset": archive.offset + tarfile.BLOCKSIZE}
                row |= {"size_bytes": len(data), "sha256": sha256_of(data)}
                archive.addfile(member, io.BytesIO(data))
                counts.keep()
    write_table(rows, frame_index, FRAME_INDEX, sort_by=_ORDER)
    return counts


def _decode(
    shard: Shard, encode: Callable[[np.ndarray], bytes], rows: Sequence[dict]
) -> list[bytes | Rejected]:
    """Return each frame of one video as a picture's bytes, or why there is none."""
    uuid = rows[0]["uuid"]
    if uuid not in shard:
        return [Rejected(shard.reason(uuid))] * len(rows)
    try:
        pictures = read_frames(shard.read(uuid), [row["frame"] for row in rows])
    except Rejected as fault:
        return [fault] * len(rows)
    except UserError:
        return [Rejected("damaged_tar")] * len(rows)
    return [
        encode(picture) if row["part"] == TRAIN else encode_png(picture)
        for row, picture in zip(rows, pictures, strict=True)
    ]


def _encode_jpeg(side: int, filter_: int, quality: int, picture: np.ndarray) -> bytes:
    target = io.BytesIO()
    squeezed = Image.fromarray(picture).resize((side, side), filter_)
    squeezed.save(target, "JPEG", quality=quality, subsampling=0)
    return target.getvalue()


if __name__ == "__main__":
    run_job(decode_frames, snakemake)
