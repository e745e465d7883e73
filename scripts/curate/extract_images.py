"""Take each scraped video's first frame as its image prompt (Section 3)."""

from pathlib import Path

from scripts.common.code import code_checksum
from scripts.common.errors import Rejected
from scripts.common.fingerprints import fingerprint
from scripts.common.ledger import LEDGER, FileLedger
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.rule_log import Counts, rule_log
from scripts.common.shards import Shard, ShardItem, write_shard
from scripts.common.video import read_frames


def extract_images(
    videos_tar: Path,
    videos_index: Path,
    tar: Path,
    index: Path,
    *,
    max_megapixels: float,
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write first frames as lossless PNG: Pika 'utilizes these user-inputted prompts as the first
    frames of generated videos' (Section 3). Upright, as players show them; one video at a time is
    in memory.

    Args:
        videos_tar: ``<uuid>.mp4`` members.
        videos_index: the index beside it.
        tar: ``<uuid>.png`` members.
        index: ``ITEM_INDEX``, one row for each wanted video; without a video, ``no_video``.
        max_megapixels: of a frame; a larger one is rejected, not decoded.
        ledger_root: where finished items are kept.
    """
    videos = Shard(videos_tar, videos_index)
    folder = (
        ledger_root
        / "curate"
        / fingerprint(
            max_megapixels=max_megapixels,
            code=code_checksum("scripts/curate/extract_images.py", plumbing=False),
        )
    )
    ledger = FileLedger(folder / f"images-{videos_tar.stem}")

    def take(uuid: str) -> ShardItem:
        if uuid not in videos:
            return ShardItem(uuid, reason="no_video")
        try:
            picture = read_frames(videos.read(uuid), [0], max_megapixels=max_megapixels)[0]
        except Rejected as error:
            return ShardItem(uuid, reason=error.reason)
        return ShardItem(uuid, encode_png(picture), picture_properties(picture))

    versions = {uuid: row["sha256"] for uuid, row in videos.rows.items()}
    what = f"first frames {videos_tar.stem}"
    items = ledger.complete(sorted(videos.rows), take, what=what, versions=versions)
    counts = write_shard(tar, index, items, "png")
    ledger.finish(tar, index)
    return counts


if __name__ == "__main__":
    with rule_log(snakemake) as log:
        counts = extract_images(
            videos_tar=Path(snakemake.input.tar),
            videos_index=Path(snakemake.input.index),
            tar=Path(snakemake.output.tar),
            index=Path(snakemake.output.index),
            max_megapixels=snakemake.params.max_megapixels,
        )
        log.finish(counts)
