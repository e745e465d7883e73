"""Videos of TIP-ID: which ones a source gives to a part, and their bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import Rejected
from scripts.common.schemas.split import TIP_ID
from scripts.common.shards import Shards
from scripts.common.tables import read_table


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
    """The videos of one generator, or of one real or text-to-video source.

    Attributes:
        name: of the source.
        videos: those of one part of TIP-ID.
    """

    def __init__(
        self,
        split: str | Path,
        tars: Sequence[str | Path],
        indexes: Sequence[str | Path],
        *,
        part: str,
    ):
        """Read which videos belong to a part (train or test) of TIP-ID.

        Args:
            split: the source's table of TIP-ID.
            tars: its videos.
            indexes: beside the tars, in their order.
            part: train or test.

        Raises:
            UserError: a table cannot be read.
        """
        self.name = Path(split).stem
        self._shards = Shards(tars, indexes)
        self.videos: list[Video] = []
        for row in read_table(split, TIP_ID).to_pylist():
            if row["split"] == part:
                is_there = row["uuid"] in self._shards
                found = self._shards.rows[row["uuid"]] if is_there else {}
                known = {name: found[name] for name in _PROPERTIES if is_there}
                self.videos.append(Video(row["uuid"], row["source"], row["label"], **known))
        self._by_uuid = {video.uuid: video for video in self.videos}

    def __getitem__(self, uuid: str) -> Video:
        return self._by_uuid[uuid]

    @property
    def versions(self) -> Mapping[str, str | None]:
        """The videos' checksums by uuid: one id may come to have another video."""
        return {video.uuid: video.sha256 for video in self.videos}

    def missing(self) -> dict[str, Rejected]:
        """Return why videos cannot even be tried, by uuid."""
        return {uuid: Rejected("no_video") for uuid, sha256 in self.versions.items() if not sha256}

    def read(self, video: Video) -> bytes:
        """Return a video's bytes.

        Raises:
            Rejected: no_video, if the index has none.
        """
        if video.sha256 is None:
            raise Rejected("no_video", video.uuid)
        return self._shards.read(video.uuid)
