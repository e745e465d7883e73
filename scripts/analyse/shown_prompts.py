"""Prompts that figures show one by one: which, their pictures, and what is blurred."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from scripts.common.errors import UserError
from scripts.common.identity import seeded_order
from scripts.common.pictures import decode_picture
from scripts.common.schemas.annotate import DATASET, SAFE
from scripts.common.shards import Shards
from scripts.common.tables import read_frame
from scripts.common.video import read_frames

SIDE = 144
"""Of a picture that is shown, in pixels."""
GAP = 3
UNSAFE_TEXT = 0.5
"""``Text_NSFW`` from which a text counts as unsafe."""


class ShownPrompts:
    """The data set's rows by UUID, and their pictures as figures show them."""

    def __init__(self, dataset: Path, *, blurred: bool):
        """Read the data set; with ``blurred``, what is not safe has blurred pictures and no text."""
        self.rows = read_frame(dataset, DATASET).set_index("UUID", drop=False)
        # What nobody could say of is taken for unsafe.
        unsafe = (self.rows["Image_NSFW"] != SAFE) | ~(self.rows["Text_NSFW"] < UNSAFE_TEXT)
        self.unsafe = set(self.rows.index[unsafe])
        self._blurred = self.unsafe if blurred else set()
        if blurred:
            self.rows.loc[unsafe, "Text_Prompt"] = "[flagged as unsafe]"

    def choose(
        self,
        wanted: Sequence[str],
        among: pd.DataFrame,
        there: Sequence[Collection[str]],
        *,
        number: int,
        seed: int,
    ) -> list[str]:
        """Return the ids that are wanted, or some of different subjects, drawn with the seed.

        Args:
            wanted: ids of the configuration; none lets the seed choose.
            among: table of ``TIP_EVAL``, of which the seed chooses.
            there: who has something to show of which ids; all must have it.
            number: how many at most.
            seed: the run's.

        Raises:
            UserError: a wanted prompt is unknown, or not everybody has something of it.
        """
        for uuid in wanted:
            if uuid not in self.rows.index or not all(uuid in ids for ids in there):
                raise UserError(
                    f"analyse.figures: prompt {uuid} is not in the data set, or a generator has no "
                    "video of it; choose one of results/splits/tip_eval/prompts.parquet"
                )
        chosen = {uuid: uuid for uuid in wanted}
        subjects = dict(zip(among["uuid"], among["subject"], strict=True))
        for uuid in () if wanted else seeded_order(subjects, seed, "gallery"):
            is_shown = uuid in self.rows.index and all(uuid in ids for ids in there)
            if is_shown and len(chosen) < number:
                chosen.setdefault(subjects[uuid], uuid)
        return list(chosen.values())

    def picture(self, uuid: str, images: Shards) -> np.ndarray:
        """Return the middle square of an image prompt."""
        return self._square(uuid, decode_picture(images.read(uuid)))

    def strip(self, uuid: str, videos: Shards, frames: int) -> np.ndarray:
        """Return frames of a video from the first to the last, each cut to its middle square.

        Returns:
            uint8 RGB of shape (144, frames * 144 + gaps, 3).
        """
        video = read_frames(videos.read(uuid))
        gap = np.full((SIDE, GAP, 3), 255, np.uint8)
        places = np.linspace(0, len(video) - 1, frames).round().astype(int)
        pieces = [piece for place in places for piece in (self._square(uuid, video[place]), gap)]
        return np.concatenate(pieces[:-1], axis=1)

    def _square(self, uuid: str, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = Image.fromarray(picture[top : top + side, left : left + side])
        square = square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        if uuid in self._blurred:
            square = square.filter(ImageFilter.GaussianBlur(SIDE / 8))
        return np.asarray(square)


def open_shards(found: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, Shards]:
    """Return generator -> its videos, from the paths that rules have as a parameter."""
    return {name: Shards(files["tars"], files["indexes"]) for name, files in found.items()}
