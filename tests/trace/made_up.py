"""A made-up TIP-Trace: prompts with images, and videos that move them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.common.identity import item_uuid, prompt_uuid
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.schemas.split import (
    ALONG,
    DISTRACTOR,
    QUERY,
    REFERENCE,
    SOURCE_IMAGE,
    TRACE_FRAMES,
    TRACE_IMAGES,
    TRAIN,
    TRAINING_IMAGE,
)
from scripts.common.shards import Shard, ShardItem, write_shard
from scripts.common.tables import write_table
from scripts.common.video import encode_video, probe_video

SIDE = 48
FRAMES = 6


def picture(seed: int) -> np.ndarray:
    """Return soft blobs of colour, uint8 (48, 48, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def repaint(image: np.ndarray, step: int) -> np.ndarray:
    """Return frames as ``move`` does, with red and blue exchanged."""
    return np.ascontiguousarray(move(image, step)[..., ::-1])


def move(image: np.ndarray, step: int) -> np.ndarray:
    """Return frames in which a picture slides and brightens."""
    frames = [np.roll(image, step * number, axis=1) for number in range(FRAMES)]
    return np.stack([np.clip(f.astype(int) + 4 * n, 0, 255) for n, f in enumerate(frames)]).astype(
        np.uint8
    )


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Turn every bit of a file round within this block."""
    whole = path.read_bytes()
    try:
        path.write_bytes(bytes(255 - byte for byte in whole))
        yield
    finally:
        path.write_bytes(whole)


class MadeUpTrace:
    """Files of TIP-Trace under a folder, laid out as the workflow lays them out.

    Attributes:
        train: prompts' UUIDs for training.
        queries: prompts' UUIDs held out.
        generators: name -> pixels per frame by which it slides a picture.
    """

    def __init__(
        self, root: Path, train: int = 6, queries: int = 4, others: int = 8, animate=None, along=()
    ):
        self.root, self.animate, self.along = root, animate or move, along
        self.generators = {"left": 1, "right": -2}
        names = sorted(prompt_uuid(f"prompt {number}") for number in range(train + queries))
        self.train, self.queries = names[:train], names[train:]
        self.pictures = {uuid: picture(number) for number, uuid in enumerate(names)}
        self.images = self._write_images("images", list(names))
        for number in range(others):
            self.pictures[item_uuid("reference", str(number))] = picture(1_000 + number)
            self.pictures[item_uuid("distractor", str(number))] = picture(2_000 + number)
        reference = sorted(item_uuid("reference", str(n)) for n in range(others))
        distractor = sorted(item_uuid("distractor", str(n)) for n in range(others))
        sources = (
            self._write_images("references", reference),
            self._write_images("distractors", distractor),
        )
        self.references = root / "splits" / "references.parquet"
        self.distractors = root / "splits" / "distractors.parquet"
        rows = self._rows(self.images, self.queries, SOURCE_IMAGE)
        rows += self._rows(sources[0], reference, REFERENCE)
        write_table(rows, self.references, TRACE_IMAGES)
        write_table(self._rows(sources[1], distractor, DISTRACTOR), self.distractors, TRACE_IMAGES)
        self.training_images = root / "splits" / "training_images.parquet"
        rows = self._rows(self.images, self.train, TRAINING_IMAGE)
        write_table(rows, self.training_images, TRACE_IMAGES)
        for generator in self.generators:
            self.write_generator(generator)

    def _write_images(self, name: str, uuids: list[str]) -> Shard:
        tar = self.root / name / "00000.tar"
        items = [
            ShardItem(u, encode_png(self.pictures[u]), picture_properties(self.pictures[u]))
            for u in uuids
        ]
        write_shard(tar, tar.with_suffix(".parquet"), items, "png")
        return Shard(tar, tar.with_suffix(".parquet"))

    def _rows(self, shard: Shard, uuids: list[str], role: str) -> list[dict]:
        return [
            {"uuid": uuid, "role": role, "tar": str(shard.tar)}
            | {key: shard.rows[uuid][key] for key in ("offset", "size_bytes", "sha256")}
            for uuid in uuids
        ]

    def write_generator(self, name: str, broken: tuple[str, ...] = ()) -> None:
        """Write a generator's videos and which frames are wanted; ``broken`` ones cut short."""
        tar = self.root / "videos" / name / "00000.tar"
        items, rows = [], []
        for uuid in [*self.train, *self.queries]:
            data = encode_video(self.animate(self.pictures[uuid], self.generators[name]), 8)
            properties = probe_video(data)
            if uuid in broken:
                data = data[: len(data) // 2]
            items.append(ShardItem(uuid, data, properties))
        write_shard(tar, tar.with_suffix(".parquet"), items, "mp4")
        shard = Shard(tar, tar.with_suffix(".parquet"))
        for uuid in [*self.train, *self.queries]:
            part, wanted = (TRAIN, (0, 3)) if uuid in self.train else (QUERY, (FRAMES - 1,))
            place = {key: shard.rows[uuid][key] for key in ("offset", "size_bytes")}
            frames = [(part, frame) for frame in wanted]
            frames += [(ALONG, frame) for frame in self.along] if part == QUERY else []
            rows += [
                {"uuid": uuid, "part": part, "frame": frame, "tar": str(tar)} | place
                for part, frame in frames
            ]
        write_table(rows, self.root / "splits" / f"{name}.parquet", TRACE_FRAMES)

    def frames(self, name: str) -> Path:
        """Return the tar of a generator's decoded frames."""
        return self.root / "frames" / name / "00000.tar"
