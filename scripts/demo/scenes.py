"""Pictures for the demo's prompts: photographs, and scenes put together from several of them."""

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from scripts.demo.photographs import elevation, photograph
from scripts.demo.treatments import Colour, duotone

SCENE_SIZE = (720, 480)
"""Width and height of a composed scene in pixels."""

Box = tuple[float, ...]
"""A part of a picture: left, top, right, bottom, as shares of its sides."""


@cache
def scene(name: str) -> Image.Image:
    """Return a picture in RGB: a composed scene of ``SCENES``, or else a photograph.

    The picture is shared by all callers: do not draw on it.
    """
    return SCENES[name]() if name in SCENES else photograph(name)


def reach(
    picture: Image.Image, area: Box, size: tuple[int, int], zoom: float
) -> tuple[Box, float, float]:
    """Return an area in pixels, and the width and height of a crop in it that has the shape of
    ``size`` and is a share ``zoom`` of the largest such."""
    left, right = area[0] * picture.width, area[2] * picture.width
    top, bottom = area[1] * picture.height, area[3] * picture.height
    shape = size[0] / size[1]
    width = min(right - left, (bottom - top) * shape) * zoom
    return (left, top, right, bottom), width, width / shape


def tinted(name: str, dark: Colour, middle: Colour, light: Colour) -> Image.Image:
    """Return a grey photograph in the colours of a scale from dark to light."""
    grey = ImageOps.autocontrast(photograph(name).convert("L"), cutoff=0.5)
    return ImageOps.colorize(grey, black=dark, white=light, mid=middle)


def gradient(size: tuple[int, int], *stops: Colour) -> Image.Image:
    """Return a vertical gradient through the colours, top to bottom."""
    column = ramp(np.linspace(0, len(stops) - 1, size[1]), stops)
    return Image.fromarray(np.repeat(column[:, None], size[0], 1).astype(np.uint8))


def ramp(
    at: np.ndarray, colours: Sequence[Colour], places: Sequence[float] | None = None
) -> np.ndarray:
    """Return the colours at places between given ones (at 0, 1, 2, ... unless said): [..., 3]."""
    stops = np.array(colours, float)
    known = range(len(stops)) if places is None else places
    return np.stack([np.interp(at, known, stops[:, band]) for band in range(3)], -1)


def disc_mask(size: tuple[int, int], centre: tuple[float, float], radius: float, soft: float):
    """Return a mask (mode L) of a disc; ``soft`` is the width of its edge, all in pixels."""
    y, x = np.mgrid[: size[1], : size[0]]
    distance = np.hypot(x - centre[0], y - centre[1])
    return Image.fromarray((np.clip((radius - distance) / soft + 0.5, 0, 1) * 255).astype(np.uint8))


def ground(texture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a texture seen flat, as a floor that runs to the horizon."""
    side = texture.width
    corners = (side * 0.05, side * 0.02, -side * 0.9, side, side * 1.9, side, side * 0.95, 0)
    tile = Image.new("RGB", (side * 3, side))
    for column in range(3):
        tile.paste(ImageOps.mirror(texture) if column % 2 else texture, (column * side, 0))
    corners = tuple(value + side * (index % 2 == 0) for index, value in enumerate(corners))
    return tile.transform(size, Image.Transform.QUAD, corners, resample=Image.Resampling.BICUBIC)


def land(sky: Image.Image, floor: Image.Image, horizon: float) -> Image.Image:
    """Return sky above floor, with the horizon at a share of the height and a little haze."""
    width, height = sky.size
    line = round(height * horizon)
    picture = sky.copy()
    picture.paste(floor.resize((width, height - line)), (0, line))
    haze = Image.new("RGB", sky.size, sky.getpixel((0, max(line - 1, 0))))
    rows = np.clip(1 - np.abs(np.arange(height) - line) / (height * 0.10), 0, 1) * 170
    mask = Image.fromarray(np.repeat(rows[:, None], width, 1).astype(np.uint8))
    return Image.composite(haze, picture, mask)


def sunset() -> Image.Image:
    """A setting sun over a dark meadow."""
    sky = gradient(SCENE_SIZE, (58, 40, 92), (201, 82, 84), (250, 170, 84), (255, 214, 130))
    glow = disc_mask(SCENE_SIZE, (500, 250), 60, 130)
    sky = Image.composite(Image.new("RGB", SCENE_SIZE, (255, 244, 200)), sky, glow)
    floor = ground(tinted("grass", (16, 10, 12), (60, 38, 30), (150, 96, 60)), SCENE_SIZE)
    return land(sky, floor, 0.64)


def meadow() -> Image.Image:
    """A green meadow under a blue sky."""
    sky = gradient(SCENE_SIZE, (72, 132, 208), (150, 196, 236), (228, 240, 246))
    floor = ground(tinted("grass", (18, 44, 12), (78, 138, 46), (214, 232, 140)), SCENE_SIZE)
    return land(sky, floor, 0.45)


def moonscape() -> Image.Image:
    """The moon's surface under stars, the Earth-blue disc of another world above it."""
    floor = ground(tinted("moon", (20, 22, 28), (110, 112, 118), (240, 238, 232)), SCENE_SIZE)
    picture = stars()
    picture.paste(floor.resize((720, 230)), (0, 250))
    return _with_planet(picture, (560, 110), 62, ((10, 30, 90), (60, 130, 210), (240, 250, 255)))


def galaxies() -> Image.Image:
    """The Hubble deep field, its faint galaxies lifted out of the dark."""
    return photograph("hubble").point(lambda value: round(255 * (value / 255) ** 0.7))


def stars() -> Image.Image:
    """A part of the Hubble deep field, as wide as a scene."""
    return galaxies().crop((140, 20, 860, 500))


def moonrise() -> Image.Image:
    """A full moon, its face from a photograph of the surface, above a night's hills."""
    sky = gradient(SCENE_SIZE, (6, 10, 30), (16, 28, 66), (48, 62, 110))
    face = tinted("moon", (60, 58, 60), (170, 166, 158), (255, 252, 240))
    picture = _with_globe(Image.blend(sky, stars(), 0.35), face, (390, 190), 132)
    width, height = SCENE_SIZE
    x = np.linspace(0, 2 * np.pi, width)
    # Ranges of hills: their lines from the top and swings as shares of the height.
    ranges = ((0.80, 0.07, (22, 26, 52)), (0.86, 0.05, (8, 10, 24)))
    for number, (line, swing, colour) in enumerate(ranges):
        wave = np.sin(x * (1.3 + number) + number) + 0.4 * np.sin(x * (3.1 + number) + 2)
        inside = np.arange(height)[:, None] >= (line + swing * wave / 1.4) * height
        mask = Image.fromarray(inside.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(1))
        picture = Image.composite(Image.new("RGB", SCENE_SIZE, colour), picture, mask)
    return picture


def red_planet() -> Image.Image:
    """A red planet in space (a photograph of a retina)."""
    return _with_planet(stars(), (340, 240), 176, None)


def blue_planet() -> Image.Image:
    """A blue planet in space."""
    tones = ((8, 24, 80), (40, 120, 190), (230, 245, 235))
    return _with_planet(stars().transpose(Image.Transpose.ROTATE_180), (420, 230), 186, tones)


def brick_wall() -> Image.Image:
    """A red brick wall."""
    upright = tinted("brick", (60, 30, 24), (150, 78, 58), (226, 178, 150))
    return upright.transpose(Image.Transpose.ROTATE_90)


def _with_globe(base: Image.Image, face: Image.Image, centre, radius: int) -> Image.Image:
    """Paste a face wrapped on a lit ball."""
    side = 2 * radius
    y, x = np.mgrid[:side, :side]
    u, v = (x + 0.5) / radius - 1, (y + 0.5) / radius - 1
    height = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
    pixels = np.asarray(face.convert("RGB"))
    # An azimuthal map from the middle of the texture: no seam, and the rim turns away.
    bend = np.arcsin(np.clip(np.hypot(u, v), 0, 1)) / np.maximum(np.hypot(u, v), 1e-6) / np.pi
    columns = ((0.5 + u * bend) * (pixels.shape[1] - 1)).astype(int)
    rows = ((0.5 + v * bend) * (pixels.shape[0] - 1)).astype(int)
    lit = np.clip(0.75 * height - 0.35 * u - 0.30 * v + 0.15, 0.04, 1.0)
    ball = (pixels[rows.clip(0), columns.clip(0)] * lit[..., None]).astype(np.uint8)
    mask = disc_mask((side, side), (radius - 0.5, radius - 0.5), radius - 1, 2)
    picture = base.copy()
    picture.paste(Image.fromarray(ball), (centre[0] - radius, centre[1] - radius), mask)
    return picture


def _with_planet(base: Image.Image, centre, radius: int, tones) -> Image.Image:
    eye = photograph("retina").crop((240, 240, 1170, 1170)).resize((600, 600))
    return _with_globe(base, duotone(eye, *tones) if tones else eye, centre, radius)


def _horse_on(base: str, colour: Colour, corner: tuple[int, int], height: int) -> Image.Image:
    mask = ImageOps.invert(photograph("horse").convert("L"))  # a dark shape on white
    mask = mask.resize((round(mask.width * height / mask.height), height), Image.Resampling.LANCZOS)
    shade = gradient(mask.size, tuple(min(255, c + 36) for c in colour), colour)
    picture = scene(base).copy()
    picture.paste(shade, corner, mask)
    return picture


def _astronaut_before(base: str) -> Image.Image:
    """Return the astronaut's portrait fading into another picture."""
    side = SCENE_SIZE[1]
    portrait = photograph("astronaut").resize((side, side), Image.Resampling.LANCZOS)
    y, x = np.mgrid[:side, :side] / side
    distance = np.hypot((x - 0.44) / 0.34, (y - 0.42 - 0.12) / 0.52)
    mask = np.clip((1.12 - distance) / 0.30, 0, 1)
    picture = scene(base).copy()
    left = (SCENE_SIZE[0] - side) // 2
    picture.paste(portrait, (left, 0), Image.fromarray((mask * 255).astype(np.uint8)))
    return picture


def _flight(direction: float, sky, place, *, mirrored: bool = False) -> Image.Image:
    """Draw the terrain in its light and in perspective, near to far, one line of the map at a time.

    The method of old flight games: a far line shows only above what stands in front of it.
    ``direction`` is a share of a turn, ``place`` the viewer's share of the map's width and height.
    """
    width, height = SCENE_SIZE
    cells = elevation()[:, ::-1] if mirrored else elevation()
    fine = Image.fromarray(np.ascontiguousarray(cells)).resize(
        (4 * cells.shape[1], 4 * cells.shape[0]), Image.Resampling.BICUBIC
    )
    relief = np.asarray(fine, float)
    relief = (relief - relief.min()) / np.ptp(relief)
    south, east = np.gradient(relief * 240)
    light = 0.62 - 0.55 * (east + 0.6 * south) / np.sqrt(1 + east**2 + south**2)
    stops = ((38, 74, 44), (86, 112, 58), (140, 124, 92), (176, 164, 150), (250, 250, 252))
    colours = ramp(relief, stops, (0, 0.3, 0.55, 0.75, 0.95))
    colours *= np.clip(light, 0.1, 1)[..., None]
    rows, columns = relief.shape
    picture = np.asarray(gradient(SCENE_SIZE, *sky)).copy()
    haze = np.array(sky[1], float)
    skyline = np.full(width, height)
    lines = np.arange(height)[:, None]
    sideways = np.linspace(-0.62, 0.62, width)
    forward = np.array([np.cos(2 * np.pi * direction), np.sin(2 * np.pi * direction)])
    for distance in np.geomspace(18, 330, 500):
        x = place[0] * columns + 4 * distance * (forward[0] - forward[1] * sideways)
        y = place[1] * rows + 4 * distance * (forward[1] + forward[0] * sideways)
        # A mirrored map goes on for ever without a seam.
        column = np.abs((x.astype(int) + columns) % (2 * columns) - columns).clip(0, columns - 1)
        row = np.abs((y.astype(int) + rows) % (2 * rows) - rows).clip(0, rows - 1)
        top = height * (0.40 + 28 * (1.10 - relief[row, column]) / distance)
        top = np.clip(top, 0, height).astype(int)
        share = min(1.0, distance / 330) ** 1.4
        colour = colours[row, column] * (1 - share) + haze * share
        shown = (lines >= top) & (lines < skyline)
        picture[shown] = np.broadcast_to(colour, picture.shape)[shown]
        skyline = np.minimum(skyline, top)
    return Image.fromarray(picture).filter(ImageFilter.GaussianBlur(0.5))


SCENES: dict[str, Callable[[], Image.Image]] = {
    "galaxies": galaxies,
    "stars": stars,
    "sunset": sunset,
    "meadow": meadow,
    "moonscape": moonscape,
    "moonrise": moonrise,
    "red_planet": red_planet,
    "blue_planet": blue_planet,
    "horse_at_sunset": partial(_horse_on, "sunset", (18, 12, 16), (210, 130), 300),
    "horse_on_meadow": partial(_horse_on, "meadow", (94, 54, 30), (200, 90), 330),
    "horse_on_moon": partial(_horse_on, "moonscape", (226, 226, 232), (130, 110), 310),
    "astronaut_in_space": partial(_astronaut_before, "stars"),
    "astronaut_on_moon": partial(_astronaut_before, "moonscape"),
    "mountains": partial(_flight, 0.25, ((120, 160, 210), (214, 226, 236)), (0.30, 0.62)),
    "mountains_at_dusk": partial(
        _flight, 0.70, ((70, 60, 120), (244, 176, 138)), (0.62, 0.35), mirrored=True
    ),
    "brick_wall": brick_wall,
    "gold_coins": partial(tinted, "coins", (30, 18, 6), (160, 112, 40), (255, 236, 160)),
    "gravel": partial(tinted, "gravel", (34, 28, 24), (128, 116, 104), (232, 224, 214)),
    "slate": partial(tinted, "gravel", (10, 14, 22), (70, 78, 92), (190, 202, 214)),
    "straw": partial(tinted, "grass", (44, 26, 10), (160, 120, 62), (246, 226, 168)),
    "lawn": partial(tinted, "grass", (22, 30, 12), (96, 112, 58), (222, 218, 160)),
    "pavement": partial(tinted, "brick", (44, 40, 38), (128, 112, 96), (214, 204, 190)),
    "handwriting": partial(tinted, "text", (22, 24, 60), (150, 150, 170), (248, 244, 232)),
    "cells": partial(tinted, "cell", (10, 18, 30), (90, 110, 120), (235, 245, 240)),
}
"""Scenes by name; those of one photograph have it in natural colours where it is grey."""
