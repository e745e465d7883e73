"""Videos of TIP-ID: which ones a source gives to a part, and their bytes."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil
from pathlib import Path

from scripts.common.errors import Rejected
from scripts.common.identity import seeded_order
from scripts.common.schemas.split import IMAGE_GENERATED, TEST, TIP_ID
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
        only: Container[str] | None = None,
    ):
        """Read which videos belong to a part (train or test) of TIP-ID.

        Args:
            split: the source's table of TIP-ID.
            tars: its videos.
            indexes: beside the tars, in their order.
            part: train or test.
            only: ids of the videos that are needed of it; all by default.

        Raises:
            UserError: a table cannot be read.
        """
        self.name = Path(split).stem
        self._shards = Shards(tars, indexes)
        self.videos: list[Video] = []
        for row in read_table(split, TIP_ID).to_pylist():
            if row["split"] == part and (only is None or row["uuid"] in only):
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


def needed_tests(
    splits: Sequence[Path], labels: Sequence[str], most: int, seed: int
) -> dict[str, set[str]]:
    """Return the test videos that balanced test sets use, by source, and a fiftieth more.

    A test set has equally many videos of a generator and of each other class, the first ones of a
    seeded order (``balanced`` in measure_detection); the spare ones come in for those that fail.

    Args:
        splits: tables of TIP-ID of all sources.
        labels: the other classes: real, or real and text_generated.
        most: videos of a class at most.
        seed: of the run.
    """
    pools: dict[str, list[str]] = {label: [] for label in labels}
    generators: dict[str, list[str]] = {}
    for row in chain(*(read_table(path, TIP_ID).to_pylist() for path in splits)):
        pool = generators if row["label"] == IMAGE_GENERATED else pools
        if row["split"] == TEST and row["label"] in (IMAGE_GENERATED, *labels):
            name = row["source"] if pool is generators else row["label"]
            pool.setdefault(name, []).append(f"{row['source']}/{row['uuid']}")
    smallest = min(most, *map(len, pools.values()))
    sizes = {name: min(smallest, len(keys)) for name, keys in generators.items()}
    sizes |= dict.fromkeys(pools, max(sizes.values(), default=0))
    needed: dict[str, set[str]] = {Path(path).stem: set() for path in splits}
    for name, keys in (generators | pools).items():
        for key in seeded_order(keys, seed, "test")[: sizes[name] + ceil(sizes[name] / 50)]:
            source, _, uuid = key.partition("/")
            needed[source].add(uuid)
    return needed
