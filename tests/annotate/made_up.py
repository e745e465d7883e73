"""Made-up prompts and images of one shard."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from scripts.common.identity import prompt_uuid
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import write_table

BROKEN = b"no picture at all"
START = datetime(2024, 1, 18, 0, 40, 21, 999_000, tzinfo=UTC)


def picture(text: str, width: int = 48, height: int = 32) -> np.ndarray:
    """Return a smooth picture that depends on ``text``."""
    random = np.random.default_rng(sum(text.encode()))
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = [np.sin(a * x + b * y) for a, b in random.uniform(2, 9, size=(3, 2))]
    return np.uint8(127 + 120 * np.stack(waves, axis=-1))


def write_prompts(path: Path, texts: list[str], user_id: str | None = None) -> None:
    """Write a table of prompts, one second apart."""
    rows = [
        {
            "uuid": prompt_uuid(text),
            "prompt": text,
            "timestamp_utc": START + timedelta(seconds=number),
            "user_id": user_id,
            "kind": "image_to_video",
            "messages": 1,
            "candidates": [],
        }
        for number, text in enumerate(texts)
    ]
    write_table(rows, path, PROMPTS)


def write_images(folder: Path, shard: str, texts: list[str], size: tuple[int, int] = (48, 32)):
    """Write tar and index of images: 'without' in a text: there is none; 'broken': no picture.

    Returns:
        Paths of the tar and the index.
    """
    items = []
    for text in sorted(texts, key=prompt_uuid):
        if "without" in text:
            items.append(ShardItem(prompt_uuid(text), reason="no_video"))
            continue
        pixels = picture(text, *size)
        data = BROKEN if "broken" in text else encode_png(pixels)
        items.append(ShardItem(prompt_uuid(text), data, picture_properties(pixels)))
    tar, index = folder / f"{shard}.tar", folder / f"{shard}.parquet"
    write_shard(tar, index, items, "png")
    return tar, index
