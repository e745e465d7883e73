"""Bring the scraped videos of a shard's prompts together, each proved by decoding it (Section 3)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from scripts.common.fingerprints import fingerprint, hash_code, hash_files
from scripts.common.ledger import LEDGER, FileLedger
from scripts.common.rule_log import Counts, rule_log
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import read_table
from scripts.common.video import UnreadableVideo, probe_video


def fetch_videos(
    prompts: Path,
    tar: Path,
    index: Path,
    *,
    exports: Mapping[str, str],
    now: datetime | None = None,
    media_lists: Sequence[Path] = (),
    code: Sequence[Path | str] = (),
    ledger_root: Path = LEDGER,
) -> Counts:
    """Write the first video of each prompt that decodes from its first to its last frame.

    Args:
        prompts: table of ``PROMPTS``.
        tar: ``<uuid>.mp4`` members.
        index: ``ITEM_INDEX``, one row for each prompt; the reason of a rejected one is that of
            its earliest video.
        exports: export -> path of its HTML file; media paths are relative to its folder.
        now: the time by which signed links have expired or not; the present by default.
        media_lists: checksums of the media, if there are any: they decide whether videos that an
            earlier run had found may be recalled.
        code: modules on which the result depends.
        ledger_root: where finished items are kept.
    """
    rows = {row["uuid"]: row for row in read_table(prompts, PROMPTS).to_pylist()}
    name = fingerprint(media=hash_files(media_lists), code=hash_code(code, "curate"))
    ledger = FileLedger(ledger_root / "curate" / name / f"videos-{prompts.stem}")
    now = now or datetime.now(UTC)
    folders = {export: Path(path).parent for export, path in exports.items()}

    def find(uuid: str) -> ShardItem:
        return _first_good(uuid, rows[uuid]["candidates"], folders, now)

    items = ledger.complete(sorted(rows), find, what=f"videos {prompts.stem}")
    counts = write_shard(tar, index, items, "mp4")
    ledger.finish(tar, index)
    return counts


def local_file(video: str, folder: Path) -> Path:
    """Return the media file that an export's percent-encoded relative path names.

    Raises:
        UnreadableVideo: unsafe_path, if the path leads out of ``folder``.
    """
    path = (folder / unquote(video)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise UnreadableVideo("unsafe_path", video)
    return path


def _first_good(
    uuid: str, candidates: Sequence[dict], folders: Mapping[str, Path], now: datetime
) -> ShardItem:
    reasons = []
    for candidate in candidates:
        try:
            data = _read(candidate, folders[candidate["export"]], now)
            return ShardItem(uuid, data, probe_video(data))
        except UnreadableVideo as error:
            reasons.append(error.reason)
    return ShardItem(uuid, reason=reasons[0] if reasons else "no_candidate")


def _read(candidate: Mapping, folder: Path, now: datetime) -> bytes:
    video = candidate["video"]
    if video.startswith(("http://", "https://")):
        expires = candidate["video_expires_utc"]
        expired = expires is not None and expires < now
        raise UnreadableVideo("link_expired" if expired else "link_not_local", video)
    path = local_file(video, folder)
    if not path.is_file():
        raise UnreadableVideo("missing_file", video)
    return path.read_bytes()


if __name__ == "__main__":
    with rule_log(snakemake.log[0]) as log:
        counts = fetch_videos(
            prompts=Path(snakemake.input.prompts),
            tar=Path(snakemake.output.tar),
            index=Path(snakemake.output.index),
            exports=snakemake.params.exports,
            media_lists=[Path(path) for path in snakemake.input.media],
            code=snakemake.input.code,
        )
        log.finish(counts)
