"""Pictures that look as first frames do, some of them with a semi-transparent mark in a corner."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from scripts.common.pictures import picture_properties
from scripts.common.shards import ShardItem, Shards, write_shard
from scripts.demo.photographs import PHOTOGRAPHS, photograph

Size = tuple[int, int]


def mark(size: Size, word: str = "PIKA", letters: int = 16, margin: int = 8) -> np.ndarray:
    """Return a word in the lower right corner as opacity, float32 of shape (height, width, 1)."""
    drawn = Image.new("L", size)
    pencil, font = ImageDraw.Draw(drawn), ImageFont.load_default(letters)
    _, _, right, bottom = pencil.textbbox((0, 0), word, font=font)
    pencil.text((size[0] - right - margin, size[1] - bottom - margin), word, fill=255, font=font)
    return np.asarray(drawn, np.float32)[..., None] / 255


def pictures(number: int, size: Size, seed: int, opacity: float, share: float = 1.0):
    """Yield (picture, whether it is marked): pieces of photographs, mirrored, in other colours."""
    random = np.random.default_rng(seed)
    names, white = list(PHOTOGRAPHS), mark(size) * opacity
    for _ in range(number):
        whole = photograph(names[random.integers(len(names))])
        fit = min(whole.width, whole.height * size[0] / size[1]) * random.uniform(0.35, 0.95)
        width, height = fit, fit * size[1] / size[0]
        left, top = random.uniform(0, whole.width - width), random.uniform(0, whole.height - height)
        box = (left, top, left + width, top + height)
        piece = whole.resize(size, Image.Resampling.BILINEAR, box=box)
        if random.random() < 0.5:
            piece = ImageOps.mirror(piece)
        pixels = np.asarray(piece, np.float32) * random.uniform(0.6, 1.1, 3)
        is_marked = bool(random.random() < share) and opacity > 0
        if is_marked:
            pixels = pixels * (1 - white) + 255 * white
        yield np.uint8(np.clip(pixels, 0, 255)), is_marked


def write_pictures(folder, groups) -> tuple[Shards, dict[str, bool]]:
    """Write a shard of groups of ``pictures``; return it, and which are marked.

    Args:
        folder: where the tar and the index go.
        groups: name -> arguments of ``pictures``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    items, truth = [], {}
    for name, arguments in sorted(groups.items()):
        for number, (pixels, is_marked) in enumerate(pictures(*arguments)):
            uuid = f"{name}-{number:04d}"
            data = io.BytesIO()
            Image.fromarray(pixels).save(data, "PNG", compress_level=0)  # compressing takes longest
            items.append(ShardItem(uuid, data.getvalue(), picture_properties(pixels)))
            truth[uuid] = is_marked
    paths = folder / "00000.tar", folder / "00000.parquet"
    write_shard(*paths, items, "png")
    return Shards(*([path] for path in paths)), truth
