"""The pictures of a training run: which there are, and how they are read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.utils.data import Dataset

from scripts.common.errors import UserError
from scripts.common.pictures import decode_picture
from scripts.common.schemas.items import OK
from scripts.common.schemas.split import TRAIN
from scripts.common.schemas.trace import FRAME_INDEX
from scripts.common.shards import read_index
from scripts.common.tables import read_table
from scripts.common.video import UnreadableVideo
from scripts.trace.picture_files import read_member
from scripts.trace.preprocessing import Preprocessing

SOURCE_IMAGES = "source images"
_PLACE = ["uuid", "offset", "size_bytes", "sha256"]


@dataclass(frozen=True)
class TrainingPictures:
    """Pictures as columns, four and a half million of which fit in memory.

    Attributes:
        classes: prompts' UUIDs, sorted; a class is a source image and its generated frames.
        labels: number of each picture's class, shape (pictures,).
        sources: number of its source: 0 is the source images, then the generators.
        tars: the tars.
        tar_numbers: number of its tar, shape (pictures,).
        offsets: where it begins in the tar.
        sizes: its size in bytes.
        digest: checksum of classes, sources and contents.
        rejected: frames that were wanted and are not there, by reason.
    """

    classes: list[str]
    labels: np.ndarray
    sources: np.ndarray
    tars: list[str]
    tar_numbers: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    digest: str
    rejected: dict[str, int]

    def __len__(self) -> int:
        return len(self.labels)


def find_training_pictures(
    frames: Sequence[Path],
    frame_indexes: Sequence[Path],
    images: Sequence[Path],
    image_indexes: Sequence[Path],
) -> TrainingPictures:
    """Return the training frames of some generators, and the source images of their prompts.

    Args:
        frames: tars of decoded frames, of one generator or several.
        frame_indexes: the ``FRAME_INDEX`` beside each.
        images: tars of the image prompts.
        image_indexes: the item index beside each.

    Raises:
        UserError: there is not one training frame.
    """
    sources = {SOURCE_IMAGES: 0}
    pieces, rejected = [], {}
    for number, (tar, index) in enumerate(zip(frames, frame_indexes, strict=True)):
        table = read_table(index, FRAME_INDEX)
        table = table.filter(pc.equal(table["part"], TRAIN))
        for fault in pc.value_counts(table["reason"].drop_null()).to_pylist():
            rejected[fault["values"]] = rejected.get(fault["values"], 0) + fault["counts"]
        source = sources.setdefault(tar.parent.name, len(sources))
        pieces.append(_piece(table, number, source))
    prompts = pa.concat_tables(pieces)["uuid"].unique() if pieces else pa.array([], pa.string())
    if not len(prompts):
        raise UserError(
            f"no training frame was decoded ({rejected or 'none was wanted'}); see the logs of "
            "decode_frames, or the setting split.tip_trace"
        )
    tars = [str(tar) for tar in frames]
    for tar, index in zip(images, image_indexes, strict=True):
        table = read_index(index, tar)
        table = table.filter(pc.is_in(table["uuid"], prompts))
        for place in table["tar"].unique().to_pylist():  # one, but where the release lies in place
            here = table.filter(pc.equal(table["tar"], place))
            pieces.append(_piece(here, len(tars), 0))
            tars.append(place)
    # In this order whatever the order of the files, so that equal pictures train equally.
    table = pa.concat_tables(pieces).sort_by(
        [(name, "ascending") for name in ("uuid", "source", "sha256")]
    )
    encoded = table["uuid"].combine_chunks().dictionary_encode()
    digest = hashlib.sha256(repr(list(sources)).encode())
    for name in ("uuid", "source", "sha256"):
        digest.update("\n".join(map(str, table[name].to_pylist())).encode())
    return TrainingPictures(
        classes=encoded.dictionary.to_pylist(),
        labels=encoded.indices.to_numpy().astype(np.int64),
        sources=table["source"].to_numpy(),
        tars=tars,
        tar_numbers=table["tar"].to_numpy(),
        offsets=table["offset"].to_numpy(),
        sizes=table["size_bytes"].to_numpy(),
        digest=digest.hexdigest(),
        rejected=rejected,
    )


class PictureDataset(Dataset):
    """Decodes pictures of a training run: (uint8 of shape (3, side, side), class)."""

    def __init__(
        self, pictures: TrainingPictures, preprocessing: Preprocessing, *, cache_mb: int = 0
    ):
        """Take the pictures.

        Args:
            pictures: which there are.
            preprocessing: how they become squares.
            cache_mb: decoded pictures are kept in memory up to this; for small runs.
        """
        self._pictures, self._preprocessing = pictures, preprocessing
        self._room = cache_mb * 2**20
        self._kept: dict[int, torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        picture = self._kept.get(number)
        if picture is None:
            picture = self._read(number)
            if self._room >= picture.nbytes:
                self._room -= picture.nbytes
                self._kept[number] = picture
        return picture, int(self._pictures.labels[number])

    def _read(self, number: int) -> torch.Tensor:
        tar = self._pictures.tars[self._pictures.tar_numbers[number]]
        offset, size = int(self._pictures.offsets[number]), int(self._pictures.sizes[number])
        try:
            picture = decode_picture(read_member(Path(tar), offset, size))
        except UnreadableVideo as error:
            raise UserError(
                f"{tar}: the picture of {self._pictures.classes[self._pictures.labels[number]]} "
                f"at byte {offset} cannot be read ({error}); delete the tar and run again"
            ) from None
        square = np.ascontiguousarray(self._preprocessing.to_square(picture).transpose(2, 0, 1))
        return torch.from_numpy(square)


def _piece(table: pa.Table, tar: int, source: int) -> pa.Table:
    table = table.filter(pc.equal(table["status"], OK)).select(_PLACE)
    return table.append_column("tar", pa.array(np.full(len(table), tar, np.int32))).append_column(
        "source", pa.array(np.full(len(table), source, np.int16))
    )
