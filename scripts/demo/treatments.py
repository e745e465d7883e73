"""Colour treatments that make one photograph into visibly different pictures."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

Colour = tuple[int, int, int]


def treat(picture: Image.Image, name: str) -> Image.Image:
    """Return a picture in one of ``TREATMENTS``; the same size, RGB."""
    return TREATMENTS[name](picture)


def natural(picture: Image.Image) -> Image.Image:
    """The picture as it is."""
    return picture


def vivid(picture: Image.Image) -> Image.Image:
    """Strong colours and contrast."""
    return ImageEnhance.Contrast(ImageEnhance.Color(picture).enhance(1.7)).enhance(1.12)


def noir(picture: Image.Image) -> Image.Image:
    """Black and white with hard contrast."""
    grey = ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    return ImageEnhance.Contrast(grey).enhance(1.25).convert("RGB")


def sepia(picture: Image.Image) -> Image.Image:
    """An old brown photograph with dark corners."""
    return _vignette(duotone(picture, (32, 18, 8), (150, 110, 70), (255, 240, 208)), 0.55)


def night(picture: Image.Image) -> Image.Image:
    """Dark and blue."""
    return _vignette(_scaled(picture, (0.40, 0.54, 0.96)), 0.35)


def golden(picture: Image.Image) -> Image.Image:
    """Low warm light from the upper right."""
    width, height = picture.size
    y, x = np.mgrid[:height, :width]
    light = np.clip(1.15 - np.hypot(x / width - 1, y / height) / 1.2, 0, 1)[..., None]
    sun = (light * (255, 150, 40)).astype(np.uint8)
    return ImageChops.screen(_scaled(picture, (1.0, 0.86, 0.62)), Image.fromarray(sun))


def cold(picture: Image.Image) -> Image.Image:
    """Pale and bluish."""
    pale = ImageEnhance.Color(picture).enhance(0.55)
    return ImageEnhance.Brightness(_scaled(pale, (0.84, 0.98, 1.16))).enhance(1.06)


def fog(picture: Image.Image) -> Image.Image:
    """Mist that thickens towards the bottom."""
    width, height = picture.size
    rows = np.linspace(70, 205, height).astype(np.uint8)
    mask = Image.fromarray(np.repeat(rows[:, None], width, 1))
    soft = ImageEnhance.Color(picture.filter(ImageFilter.GaussianBlur(0.8))).enhance(0.6)
    return Image.composite(Image.new("RGB", picture.size, (216, 221, 226)), soft, mask)


def neon(picture: Image.Image) -> Image.Image:
    """Magenta and cyan light, as in a night city of a film."""
    return duotone(picture, (22, 4, 50), (214, 30, 150), (120, 255, 250), own=0.22)


def comic(picture: Image.Image) -> Image.Image:
    """Few flat colours and black outlines."""
    flat = ImageOps.posterize(vivid(picture).filter(ImageFilter.MedianFilter(3)), 3)
    edges = picture.convert("L").filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES)
    lines = edges.point(lambda value: 0 if value > 34 else 255)
    lines = ImageOps.expand(ImageOps.crop(lines, 2), 2, fill=255)
    return ImageChops.multiply(flat, lines.filter(ImageFilter.GaussianBlur(0.6)).convert("RGB"))


def painting(picture: Image.Image) -> Image.Image:
    """Dabs of oil paint."""
    dabs = picture.filter(ImageFilter.ModeFilter(9)).filter(ImageFilter.MedianFilter(3))
    return ImageEnhance.Color(dabs.filter(ImageFilter.SHARPEN)).enhance(1.35)


def faded(picture: Image.Image) -> Image.Image:
    """A washed-out print of the seventies."""
    low = picture.point(lambda value: 46 + value * 3 // 4)
    return _scaled(ImageEnhance.Color(low).enhance(0.8), (1.06, 1.0, 0.84))


def emerald(picture: Image.Image) -> Image.Image:
    """Green and gold, as under leaves or water."""
    return duotone(picture, (0, 22, 24), (30, 134, 104), (244, 246, 176), own=0.35)


def duotone(
    picture: Image.Image, dark: Colour, middle: Colour, light: Colour, own: float = 0.0
) -> Image.Image:
    """A scale of three colours, from dark to light; ``own`` is the share of the picture's own."""
    grey = ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    scale = ImageOps.colorize(grey, black=dark, mid=middle, white=light)
    return Image.blend(scale, picture, own)


def _scaled(picture: Image.Image, factors: tuple[float, float, float]) -> Image.Image:
    # One table of 256 values for each band.
    table = [min(255, round(value * factor)) for factor in factors for value in range(256)]
    return picture.point(table)


def _vignette(picture: Image.Image, depth: float) -> Image.Image:
    width, height = picture.size
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(2 * x / width - 1, 2 * y / height - 1)
    light = 1 - depth * np.clip(distance - 0.35, 0, 1) ** 1.5
    return Image.fromarray((np.asarray(picture) * light[..., None]).astype(np.uint8))


TREATMENTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    treatment.__name__: treatment
    for treatment in (
        *(natural, vivid, noir, sepia, night, golden, cold),
        *(fog, neon, comic, painting, faded, emerald),
    )
}
"""Treatments by name."""
