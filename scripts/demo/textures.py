"""Scenes that no camera saw: they stand in for what text-to-video models make."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from scripts.demo.motions import FRAMES
from scripts.demo.scenes import ramp

PALETTES = (
    ((20, 10, 60), (120, 30, 140), (250, 120, 90), (255, 240, 180)),
    ((0, 30, 50), (0, 110, 120), (120, 210, 160), (250, 250, 220)),
    ((40, 10, 10), (150, 40, 20), (240, 160, 40), (255, 250, 210)),
    ((10, 20, 30), (60, 80, 140), (170, 170, 220), (255, 230, 250)),
    ((20, 40, 10), (90, 130, 40), (220, 200, 90), (250, 250, 240)),
    ((60, 0, 40), (200, 20, 100), (60, 160, 240), (240, 250, 255)),
)
"""Colours from dark to light."""


def zoom_video(size: tuple[int, int], seed: int, frames: int = FRAMES) -> np.ndarray:
    """Return clouds of coloured noise that come nearer and change: uint8 [frames, height, width, 3].

    Noise of several octaves, each octave moving from one random grid to another, drawn with bands
    of few colours.
    """
    random = np.random.default_rng(seed)
    table = _colour_table(PALETTES[random.integers(len(PALETTES))], bands=random.integers(6, 14))
    first, second = (noise((64, 40), random) for _ in range(2))
    result = np.empty((frames, size[1], size[0], 3), np.uint8)
    for number in range(frames):
        time = number / (frames - 1)
        field = Image.fromarray(first * (1 - 0.8 * time) + second * 0.8 * time)
        cut = 6 + 10 * time
        box = (cut, cut * 40 / 64, 64 - cut, 40 - cut * 40 / 64)
        values = np.asarray(field.resize(size, Image.Resampling.BICUBIC, box=box))
        result[number] = table[np.clip(values * 255, 0, 255).astype(np.uint8)]
    return result


def drift_video(size: tuple[int, int], seed: int, frames: int = FRAMES) -> np.ndarray:
    """Return flat shapes that drift over a gradient: uint8 [frames, height, width, 3]."""
    random = np.random.default_rng(seed)
    palette = PALETTES[random.integers(len(PALETTES))]
    table = _colour_table(palette, bands=256)
    rows = np.linspace(40, 200, size[1]).astype(np.uint8)
    ground = Image.fromarray(np.repeat(table[rows][:, None], size[0], 1))
    shapes = random.random((9, 6))
    result = np.empty((frames, size[1], size[0], 3), np.uint8)
    for number in range(frames):
        frame = ground.copy()
        draw = ImageDraw.Draw(frame)
        for shape in shapes:
            _draw_shape(draw, shape, number / (frames - 1), size, palette)
        result[number] = np.asarray(frame.filter(ImageFilter.BoxBlur(0.7)))
    return result


def noise(size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Return smooth noise of several octaves in [0, 1]: float32 [height, width]."""
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(4):
        grid = random.random((3 * 2**octave, 4 * 2**octave), np.float32)
        layer = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer) / 2**octave
    total -= total.min()
    return total / total.max()


def texture(size: tuple[int, int], seed: int) -> Image.Image:
    """Return one picture of coloured noise in RGB."""
    random = np.random.default_rng(seed)
    table = _colour_table(
        PALETTES[random.integers(len(PALETTES))], bands=int(random.integers(5, 200))
    )
    return Image.fromarray(table[(noise(size, random) * 255).astype(np.uint8)])


def _colour_table(palette: tuple, bands: int) -> np.ndarray:
    """Return uint8 [256, 3]: the palette's colours in so many steps."""
    steps = np.floor(np.arange(256) / 256 * bands) / max(1, bands - 1) * (len(palette) - 1)
    return ramp(steps, palette).astype(np.uint8)


def _draw_shape(draw: ImageDraw.ImageDraw, shape, time: float, size, palette) -> None:
    x0, y0, dx, dy, radius, kind = shape
    x = (x0 + 0.5 * (dx - 0.5) * time) % 1 * size[0]
    y = (y0 + 0.5 * (dy - 0.5) * time) % 1 * size[1]
    reach = (0.06 + 0.16 * radius) * min(size)
    colour = palette[int(kind * 397) % len(palette)]
    box = (x - reach, y - reach, x + reach, y + reach)
    if kind < 0.4:
        draw.ellipse(box, fill=colour)
    elif kind < 0.7:
        draw.rectangle(box, fill=colour)
    else:
        draw.regular_polygon((x, y, reach), 3, rotation=360 * (dx + time * dy), fill=colour)
