"""Made-up chosen prompts and images for the generators."""

from pathlib import Path

import numpy as np

from scripts.common.identity import prompt_uuid, shard_name, shard_of
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.schemas.generate import CHOSEN
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import write_table

BROKEN = b"no picture at all"


def picture(text: str, width: int = 48, height: int = 32) -> np.ndarray:
    """Return a smooth picture that depends on ``text``."""
    random = np.random.default_rng(sum(text.encode()))
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    angles = random.uniform(2, 9, size=(3, 2))
    waves = [np.sin(along * x + down * y * 2) for along, down in angles]
    return np.uint8(127 + 120 * np.stack(waves, axis=-1))


def write_prompts(folder: Path, texts: list[str], image_shards: int = 1, without_image=()) -> dict:
    """Write chosen prompts and their images; return the paths as ``generate_videos`` takes them.

    A text with the word ``broken`` gets an image that cannot be decoded.
    """
    uuids = {prompt_uuid(text): text for text in texts}
    rows = [
        {"uuid": uuid, "prompt": text, "subset": True, "tip_eval": False}
        for uuid, text in uuids.items()
    ]
    write_table(rows, folder / "chosen.parquet", CHOSEN)
    tars, indexes = [], []
    for shard in range(image_shards):
        items = []
        for uuid in sorted(uuid for uuid in uuids if shard_of(uuid, image_shards) == shard):
            if uuids[uuid] in without_image:
                items.append(ShardItem(uuid, reason="no_video"))
                continue
            image = picture(uuids[uuid])
            data = BROKEN if "broken" in uuids[uuid] else encode_png(image)
            items.append(ShardItem(uuid, data, picture_properties(image)))
        tars.append(folder / "images" / f"{shard_name(shard)}.tar")
        indexes.append(tars[-1].with_suffix(".parquet"))
        write_shard(tars[-1], indexes[-1], items, "png")
    return {"chosen": folder / "chosen.parquet", "images": tars, "image_indexes": indexes}
