"""Videos of TIP-ID: which ones a source gives to a part, and their bytes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import Rejected
from scripts.common.ledger import RowLedger
from scripts.common.schemas.items import OK, REJECTED
from scripts.common.schemas.split import TIP_ID
from scripts.common.shards import Shards
from scripts.common.tables import read_table


@dataclass(frozen=True)
class SourceFiles:
    """Where the videos of one generator, or of one real or text-to-video source, lie.

    Attributes:
        split: its table of TIP-ID.
        tars: its videos.
        indexes: beside the tars, in their order.
    """

    split: str | Path
    tars: Sequence[str | Path]
    indexes: Sequence[str | Path]


@dataclass(frozen=True)
class Video:
    """One video of TIP-ID, as its index describes it.

    Attributes:
        uuid: unique within its source only: several generators animate one prompt.
        source: generator, or entry of config/sources.yaml.
        label: real, text_generated or image_generated.
        sha256: of its bytes; None where the index does not have it.
        width: in pixels.
        height: in pixels.
        frames: frames that decode.
        fps: frames per second, 0 if unknown.
    """

    uuid: str
    source: str
    label: str
    sha256: str | None = None
    width: int = 0
    height: int = 0
    frames: int = 0
    fps: float = 0.0


_PROPERTIES = ("sha256", "width", "height", "frames", "fps")


class Source:
    """The videos of one source."""

    def __init__(self, files: SourceFiles, part: str):
        """Read which videos belong to a part (train or test) of TIP-ID.

        Raises:
            UserError: a table cannot be read.
        """
        self._shards = Shards(files.tars, files.indexes)
        index = self._shards.rows
        self.videos: list[Video] = []
        for row in read_table(files.split, TIP_ID).to_pylist():
            if row["split"] != part:
                continue
            known = {}
            if row["uuid"] in self._shards:
                properties = index[row["uuid"]]
                known = {name: properties[name] for name in _PROPERTIES}
            self.videos.append(Video(row["uuid"], row["source"], row["label"], **known))

    def read(self, video: Video) -> bytes:
        """Return a video's bytes.

        Raises:
            Rejected: no_video, if the index has none.
        """
        if video.sha256 is None:
            raise Rejected("no_video", video.uuid)
        return self._shards.read(video.uuid)


def complete_by_content(
    ledger: RowLedger,
    videos: Sequence[Video],
    work: Callable[[Sequence[Video]], Iterable[Mapping | Rejected]],
    *,
    batch_size: int,
    what: str,
) -> list[dict]:
    """Return a row for each video: recalled where one of the same bytes is done, else worked out.

    Args:
        ledger: open, with the key ``sha256``.
        videos: the wanted ones; those without bytes are rejected as ``no_video``.
        work: gives for each video of a batch its values, or the reason why there are none.
        batch_size: videos per call of ``work``.
        what: name of the progress bar.

    Returns:
        rows in the order of ``videos``: uuid, status, reason, and the values.
    """
    by_content = {video.sha256: video for video in videos if video.sha256 is not None}

    def rows_of(batch: Sequence[str]) -> list[dict]:
        results = work([by_content[sha256] for sha256 in batch])
        return [
            {"sha256": sha256} | _row_of(result)
            for sha256, result in zip(batch, results, strict=True)
        ]

    done = ledger.complete(sorted(by_content), rows_of, batch_size=batch_size, what=what)
    found = {row.pop("sha256"): row for row in map(dict, done)}
    missing = {"status": REJECTED, "reason": "no_video"}
    return [{"uuid": video.uuid} | found.get(video.sha256, missing) for video in videos]


def _row_of(result: Mapping | Rejected) -> dict:
    if isinstance(result, Rejected):
        return {"status": REJECTED, "reason": result.reason}
    return {"status": OK, "reason": None} | dict(result)
