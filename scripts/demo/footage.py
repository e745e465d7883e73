"""Footage that looks as if a hand held the camera, over photographs that no prompt of the demo uses.

It stands in for real videos: the camera trembles and wanders, the light drifts, the sensor adds
noise that is stronger where it is dark.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from scripts.demo.motions import SHARPNESS
from scripts.demo.scenes import Box, reach, scene

SEGMENT_S = 3
"""Length of a segment: real videos are cut to that of the generated ones (Supplement 13)."""

_REACH = 1.3

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
LEFT: Box = (0.0, 0.0, 0.62, 0.62)
RIGHT: Box = (0.38, 0.0, 1.0, 0.62)
LOW: Box = (0.0, 0.38, 0.62, 1.0)
LOW_RIGHT: Box = (0.38, 0.38, 1.0, 1.0)


@dataclass(frozen=True)
class Place:
    """Where a camera is: a scene and the part of it that is in reach (shares of its sides)."""

    scene: str
    area: Box = WHOLE


PLACES = (
    *(Place("gravel", area) for area in (LEFT, RIGHT, LOW, LOW_RIGHT)),
    *(Place("slate", area) for area in (LEFT, LOW_RIGHT)),
    *(Place("lawn", area) for area in (LEFT, RIGHT, LOW)),
    *(Place("straw", area) for area in (LOW, LOW_RIGHT)),
    *(Place("tissue", area) for area in (LEFT, RIGHT, LOW_RIGHT)),
    Place("pavement", (0.0, 0.0, 0.38, 0.7)),
    Place("pavement", (0.0, 0.3, 0.38, 1.0)),
    Place("china", (0.63, 0.25, 1.0, 0.75)),
    Place("china", (0.63, 0.5, 1.0, 1.0)),
    Place("hubble", (0.0, 0.62, 0.5, 1.0)),
    Place("hubble", (0.5, 0.62, 1.0, 1.0)),
    Place("page"),
    Place("handwriting"),
    Place("cells", (0.3, 0.2, 1.0, 0.8)),
    Place("tissue", LOW),
)
"""Places of real videos; of photographs that prompts use too, a part that prompts leave out."""


def cut(place: Place, size: tuple[int, int], zoom: float, corner: tuple[float, float]):
    """Return a part of a place, in RGB of ``size``.

    Args:
        place: where.
        size: width and height of the result in pixels.
        zoom: share of the largest crop of that shape, in (0, 1].
        corner: where the crop lies between left and right, top and bottom, in [0, 1].
    """
    whole = scene(place.scene)
    (left, top, right, bottom), width, height = reach(whole, place.area, size, zoom)
    x = left + (right - left - width) * corner[0]
    y = top + (bottom - top - height) * corner[1]
    box = (x, y, x + width, y + height)
    return whole.resize(size, Image.Resampling.LANCZOS, box=box)


def handheld(
    place: Place, size: tuple[int, int], fps: int, segments: int, seed: int
) -> Iterator[np.ndarray]:
    """Yield the segments of one long take, one after the other.

    Args:
        place: what is filmed.
        size: width and height in pixels.
        fps: frames per second.
        segments: how many segments of ``SEGMENT_S`` seconds.
        seed: of the hand, the light and the noise.

    Yields:
        uint8 RGB of shape (SEGMENT_S * fps, height, width, 3).
    """
    random = np.random.default_rng(seed)
    wide = tuple(round(side * _REACH * SHARPNESS) for side in size)
    picture = cut(place, wide, random.uniform(0.8, 1.0), random.random(2))
    frames = SEGMENT_S * fps * segments
    time = np.arange(frames) / fps
    # How far the hand may go, in pixels of the frame.
    room = [(_REACH - 1) / 2 * side for side in size]
    x, y = (_wander(time, random) * 0.7 * reach for reach in room)
    angle = np.deg2rad(1.3) * _wander(time, random)
    zoom = 1 - 0.05 * (1 + _wander(time, random)) / 2
    light = 1 + 0.10 * _wander(time, random)
    warmth = 0.04 * _wander(time, random)
    grain = random.standard_normal((8, size[1], size[0], 3), np.float32)
    strength = np.float32(random.uniform(3.5, 7.5))
    clip = np.empty((SEGMENT_S * fps, size[1], size[0], 3), np.uint8)
    for frame in range(frames):
        pose = (x[frame], y[frame], angle[frame], zoom[frame])
        pixels = np.asarray(_view(picture, size, pose), np.float32)
        gain = light[frame] * (1 + warmth[frame] * np.array([1, 0, -1], np.float32))
        noise = grain[random.integers(8)]
        noise = np.roll(noise, random.integers(0, min(size), 2), (0, 1))
        # Dark parts are noisier once the camera has turned its gain up; green is close to light.
        noise = noise * (strength * (1.3 - pixels[..., 1:2] / 255))
        pixels = pixels * gain.astype(np.float32) + noise
        clip[frame % len(clip)] = np.clip(pixels, 0, 255).astype(np.uint8)
        if (frame + 1) % len(clip) == 0:
            yield clip.copy()


def _view(picture: Image.Image, size: tuple[int, int], pose) -> Image.Image:
    x, y, angle, zoom = pose
    scale = SHARPNESS * zoom
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    middle = [side / 2 for side in picture.size]
    return picture.transform(
        size,
        Image.Transform.AFFINE,
        (
            cosine,
            -sine,
            middle[0] + SHARPNESS * x - cosine * size[0] / 2 + sine * size[1] / 2,
            sine,
            cosine,
            middle[1] + SHARPNESS * y - sine * size[0] / 2 - cosine * size[1] / 2,
        ),
        Image.Resampling.BILINEAR,
    )


def _wander(time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a smooth walk with a tremor, about within [-1, 1]."""
    walk = np.zeros_like(time)
    for frequency, amplitude in ((0.13, 0.6), (0.45, 0.25), (1.1, 0.10), (4.5, 0.02)):
        frequency *= random.uniform(0.7, 1.4)
        walk += amplitude * np.sin(2 * np.pi * (frequency * time + random.random()))
    return walk + 0.012 * random.normal(size=len(time))
