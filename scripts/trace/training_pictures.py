"""The pictures of a training run: which there are, and how they are read."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.utils.data import Dataset, default_collate

from scripts.common.errors import Rejected, UserError
from scripts.common.pictures import decode_picture
from scripts.common.schemas.items import OK
from scripts.common.schemas.split import TRACE_IMAGES, TRAIN
from scripts.common.schemas.trace import FRAME_INDEX
from scripts.common.tables import read_table
from scripts.trace.preprocessing import Preprocessing

SOURCE_IMAGES = "source images"
_PLACE = ["uuid", "offset", "size_bytes", "sha256"]
_MOST_OPEN = 256
"""Tars that are kept open, those last read."""


@dataclass(frozen=True)
class TrainingPictures:
    """Pictures as columns, four and a half million of which fit in memory.

    Attributes:
        classes: prompts' UUIDs, sorted; a class is a source image and its generated frames.
        labels: number of each picture's class, shape (pictures,).
        sources: number of its source: 0 is the source images, then the generators.
        source_names: how these are called.
        tars: the tars.
        tar_numbers: number of its tar, shape (pictures,).
        offsets: where it begins in the tar.
        sizes: its size in bytes.
        checksums: the first eight bytes of its SHA-256, shape (pictures,).
        digest: checksum of classes, sources and contents.
        rejected: frames that were wanted and are not there, by reason.
    """

    classes: list[str]
    labels: np.ndarray
    sources: np.ndarray
    source_names: list[str]
    tars: list[str]
    tar_numbers: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    checksums: np.ndarray
    digest: str
    rejected: Counter[str]

    def __len__(self) -> int:
        return len(self.labels)


def find_training_pictures(
    frames: Sequence[Path], frame_indexes: Sequence[Path], images: Path
) -> TrainingPictures:
    """Return the training frames of some generators, and the source images of their prompts.

    Args:
        frames: tars of decoded frames, of one generator or several.
        frame_indexes: the ``FRAME_INDEX`` beside each.
        images: the source images of the training prompts (``TRACE_IMAGES``).

    Raises:
        UserError: there is not one training frame, or a tar is missing or cut short.
    """
    sources = {SOURCE_IMAGES: 0}
    pieces, rejected = [], Counter()
    for tar, index in zip(frames, frame_indexes, strict=True):
        table = read_table(index, FRAME_INDEX, ["part", "status", "reason", *_PLACE])
        table = table.filter(pc.equal(table["part"], TRAIN))
        rejected.update(table["reason"].drop_null().to_pylist())
        table = table.filter(pc.equal(table["status"], OK))
        places = table.append_column("tar", pa.array([str(tar)] * len(table), pa.string()))
        pieces.append(_piece(places, sources.setdefault(tar.parent.name, len(sources))))
    prompts = pa.concat_tables(pieces)["uuid"].unique() if pieces else pa.array([], pa.string())
    if not len(prompts):
        raise UserError(
            f"no training frame was decoded ({dict(rejected) or 'none was wanted'}); see the logs "
            "of decode_frames, or the setting split.tip_trace"
        )
    shown = read_table(images, TRACE_IMAGES, [*_PLACE, "tar"])
    pieces.append(_piece(shown.filter(pc.is_in(shown["uuid"], prompts)), 0))
    # In this order whatever the order of the files, so that equal pictures train equally.
    table = pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    table = table.sort_by([(name, "ascending") for name in ("uuid", "source", "sha256")])
    tars = table["tar"].combine_chunks()
    encoded = table["uuid"].combine_chunks().dictionary_encode()
    digest = hashlib.sha256(repr(list(sources)).encode())
    for name in ("uuid", "source", "sha256"):
        for buffer in table[name].combine_chunks().buffers()[1:]:  # the first tells of nulls
            digest.update(buffer)
    pictures = TrainingPictures(
        classes=encoded.dictionary.to_pylist(),
        labels=encoded.indices.to_numpy().astype(np.int64),
        sources=table["source"].to_numpy(),
        source_names=list(sources),
        tars=tars.dictionary.to_pylist(),
        tar_numbers=tars.indices.to_numpy(),
        offsets=table["offset"].to_numpy(),
        sizes=table["size_bytes"].to_numpy(),
        checksums=_first_eight_bytes(table["sha256"]),
        digest=digest.hexdigest(),
        rejected=rejected,
    )
    pa.default_memory_pool().release_unused()
    _refuse_short_tars(pictures)
    return pictures


def _first_eight_bytes(checksums: pa.ChunkedArray) -> np.ndarray:
    letters = np.frombuffer(checksums.combine_chunks().buffers()[2], np.uint8).reshape(-1, 64)
    return np.frombuffer(bytes.fromhex(letters[:, :16].tobytes().decode()), ">u8")


def _refuse_short_tars(pictures: TrainingPictures) -> None:
    """Find a tar that lost its end now, not after hours of training."""
    ends = np.zeros(len(pictures.tars), np.int64)
    np.maximum.at(ends, pictures.tar_numbers, pictures.offsets + pictures.sizes)
    for tar, end in zip(pictures.tars, ends.tolist(), strict=True):
        size = Path(tar).stat().st_size if Path(tar).is_file() else 0
        if size < end:
            raise UserError(
                f"{tar} is cut short or missing: its index knows pictures up to byte {end:,}, and "
                f"it has {size:,}; delete both and run again"
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

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int] | str:
        """Return a picture and its class, or the sentence on why it cannot be read.

        A sentence, since an error that leaves a worker comes as its whole traceback.
        """
        picture = self._kept.get(number)
        if picture is None:
            try:
                picture = self._read(number)
            except UserError as error:
                return str(error)
            if self._room >= picture.nbytes:
                self._room -= picture.nbytes
                self._kept[number] = picture
        return picture, int(self._pictures.labels[number])

    def _read(self, number: int) -> torch.Tensor:
        pictures = self._pictures
        tar = pictures.tars[pictures.tar_numbers[number]]
        offset, size = int(pictures.offsets[number]), int(pictures.sizes[number])
        try:
            data = os.pread(_open(tar).fileno(), size, offset)
            found = hashlib.sha256(data).digest()[:8]
            if found != int(pictures.checksums[number]).to_bytes(8, "big"):
                raise Rejected("damaged_tar", "not the bytes that its index knows")
            picture = decode_picture(data)
        except Rejected as error:
            raise UserError(
                f"{tar}: the picture of {pictures.classes[pictures.labels[number]]} at byte "
                f"{offset} cannot be read ({error}); delete the tar and run again, and the "
                "training goes on from its last state"
            ) from None
        square = np.ascontiguousarray(self._preprocessing.to_square(picture).transpose(2, 0, 1))
        return torch.from_numpy(square)


@lru_cache(_MOST_OPEN)  # to open a file for every picture costs a file server more than to read it
def _open(tar: str) -> BinaryIO:
    try:
        return open(tar, "rb")
    except FileNotFoundError:
        raise UserError(f"{tar} is missing; run the rule that makes it") from None


def collate(items: Sequence[tuple[torch.Tensor, int] | str]) -> tuple[torch.Tensor, ...] | str:
    """Return a batch as (pixels, labels), or the first fault among its pictures."""
    for item in items:
        if isinstance(item, str):
            return item
    pixels, labels = zip(*items, strict=True)
    return default_collate(pixels), torch.tensor(labels)


def _piece(table: pa.Table, source: int) -> pa.Table:
    columns = {name: table[name] for name in _PLACE}
    columns["tar"] = table["tar"].dictionary_encode()
    return pa.table(columns | {"source": pa.array(np.full(len(table), source, np.int16))})
