"""Motions that animate one picture: smooth warps, particles and light, each named for its action.

A motion starts from the picture itself (at time 0 nothing is moved), as an image-to-video model
does. Coordinates (u, v) run over the frame from -1 to 1; the picture reaches to ``MARGIN`` on each
side, so that a camera has somewhere to go.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from scripts.demo import warps
from scripts.demo.warps import Array, Step

MARGIN = 1.16
"""How far the picture reaches beyond the frame, in units of half a frame."""

FRAMES = 72
FPS = 24
"""A Pika video: 3 s at 24 frames per second."""

SHARPNESS = 1.5
"""Pixels of the picture per pixel of the frame, so that a warped frame stays as sharp as the first."""

DRIFT = 0.03
"""How far any motion strays in a direction of its own seed: no two takes are the same."""


def canvas_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) of the picture that ``animate`` wants for frames of ``size``."""
    return tuple(round(side * SHARPNESS * MARGIN) for side in size)


def animate(
    picture: Image.Image,
    size: tuple[int, int],
    motion: str,
    *,
    strength: float,
    seed: int,
    frames: int = FRAMES,
) -> Array:
    """Return an animation of a picture.

    Args:
        picture: RGB, of ``canvas_size(size)``.
        size: width and height of the frames, in pixels.
        motion: a name of ``MOTIONS``.
        strength: 1 is an easily seen, gentle motion; 0 none.
        seed: chooses sides, phases, a slight drift, and where particles fall.
        frames: how many.

    Returns:
        uint8 RGB of shape (frames, height, width, 3); the first is the picture's middle, with
        particles where the motion has them.
    """
    move = MOTIONS[motion]
    random = np.random.default_rng(seed)
    phase, heading = random.random(2).tolist()
    strength *= 0.85 + 0.3 * random.random()
    cells, u0, v0 = _grid(size, move.cells)
    # Where each particle starts, its size and its own speed, all in [0, 1).
    flakes = random.random((move.particles.count, 4)) if move.particles else ()
    result = np.empty((frames, size[1], size[0], 3), np.uint8)
    for number in range(frames):
        step = Step(number / (frames - 1), strength, phase, size[0] / size[1])
        u, v = move.warp(u0, v0, step)
        u = u + DRIFT * step.time * np.cos(2 * np.pi * heading)
        v = v + DRIFT * step.time * np.sin(2 * np.pi * heading)
        mesh = list(zip(cells, _corners(u, v, picture.size), strict=True))
        frame = picture.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
        pixels = np.asarray(frame)
        if move.light:
            pixels = move.light(pixels, step)
        if move.particles:
            pixels = _with_flakes(pixels, flakes, move.particles, step)
        result[number] = pixels
    return result


@dataclass(frozen=True)
class Particles:
    """Things that drift through the frame: how many, colour, radius in pixels, and how far they
    fall (in frame heights) and drift (in frame widths) in the video; negative falls rise."""

    count: int
    colour: tuple[int, int, int]
    radius: float
    fall: float
    drift: float


@dataclass(frozen=True)
class Motion:
    """What moves the picture, on a mesh of so many (columns, rows); what drifts in front of it; and
    what happens to the light."""

    warp: Callable = warps.camera
    cells: tuple[int, int] = (1, 1)
    particles: Particles | None = None
    light: Callable[[Array, Step], Array] | None = None


def _grid(size: tuple[int, int], cells: tuple[int, int]) -> tuple[list, Array, Array]:
    """Return the mesh's cells as boxes in the frame, and (u, v) of its nodes."""
    columns, rows = (
        np.round(np.linspace(0, side, count + 1)).astype(int).tolist()
        for side, count in zip(size, cells, strict=True)
    )
    boxes = [
        (left, top, right, bottom)
        for top, bottom in itertools.pairwise(rows)
        for left, right in itertools.pairwise(columns)
    ]
    u, v = np.meshgrid(2 * np.array(columns) / size[0] - 1, 2 * np.array(rows) / size[1] - 1)
    return boxes, u, v


def _corners(u: Array, v: Array, canvas: tuple[int, int]) -> list[list[float]]:
    """Return each cell's corners in the picture: x and y, from the upper left one against the clock."""
    x, y = (
        (np.clip(place, -MARGIN, MARGIN) / MARGIN + 1) / 2 * side
        for place, side in zip((u, v), canvas, strict=True)
    )
    near, far = slice(None, -1), slice(1, None)
    corners = ((near, near), (far, near), (far, far), (near, far))
    return np.stack([place[at] for at in corners for place in (x, y)], -1).reshape(-1, 8).tolist()


def _with_flakes(pixels: Array, flakes: Array, particles: Particles, step: Step) -> Array:
    height, width = pixels.shape[:2]
    pixels = pixels.astype(np.float32)
    colour = np.array(particles.colour, np.float32)
    for x0, y0, scale, pace in flakes:
        speed = (0.6 + 0.8 * pace) * step.strength
        x = (x0 + particles.drift * speed * step.time) % 1 * (width - 1)
        y = (y0 + particles.fall * speed * step.time) % 1 * (height - 1)
        radius = particles.radius * (0.5 + scale)
        left, top = max(0, int(x - 2 * radius)), max(0, int(y - 2 * radius))
        box = pixels[top : int(y + 2 * radius) + 2, left : int(x + 2 * radius) + 2]
        rows = np.arange(top, top + box.shape[0])[:, None] - y
        columns = np.arange(left, left + box.shape[1])[None, :] - x
        cover = 0.85 * np.exp(-(rows**2 + columns**2) / radius**2)[..., None]
        box += (colour - box) * cover
    return np.clip(pixels, 0, 255).astype(np.uint8)


_FINE = (8, 6)
_SNOW = Particles(46, (255, 255, 255), 1.6, 1.0, 0.2)
_EMBERS = Particles(34, (255, 170, 60), 1.3, -0.8, 0.15)
_PETALS = Particles(22, (250, 178, 196), 2.4, 0.7, 0.4)
_STARS = Particles(26, (255, 255, 240), 1.1, 0.02, 0.05)
_CLOSER = partial(warps.zoom, by=0.22, most=1.4)

MOTIONS: dict[str, Motion] = {
    "zoom_in": Motion(_CLOSER),
    "zoom_out": Motion(partial(warps.zoom, by=-0.15, most=1.0)),
    "pan_left": Motion(partial(warps.camera, pan=(-0.15, 0))),
    "pan_right": Motion(partial(warps.camera, pan=(0.15, 0))),
    "pan_up": Motion(partial(warps.camera, pan=(0, -0.15))),
    "pan_down": Motion(partial(warps.camera, pan=(0, 0.15))),
    "rotate_cw": Motion(partial(warps.camera, zoom=0.14, roll=-0.20)),
    "rotate_ccw": Motion(partial(warps.camera, zoom=0.14, roll=0.20)),
    "bob": Motion(partial(warps.camera, zoom=0.06, aside=0.10, lift=0.035, steps=2)),
    "run": Motion(partial(warps.camera, zoom=0.08, aside=0.14, lift=0.045, steps=4)),
    "fly": Motion(partial(warps.camera, zoom=0.10, aside=0.10, pan=(0, 0.15))),
    "fall": Motion(warps.fall),
    "hover": Motion(warps.hover),
    "shake": Motion(warps.shake),
    "dance": Motion(warps.dance),
    "sway": Motion(warps.sway),
    "glow": Motion(light=warps.glow),
    "flicker": Motion(light=warps.flicker),
    "turn": Motion(warps.turn, _FINE),
    "wind": Motion(warps.wind, _FINE),
    "flow": Motion(warps.flow, _FINE),
    "morph": Motion(warps.morph, _FINE, light=warps.shift_hue),
    "pulse": Motion(warps.pulse, _FINE),
    "bloom": Motion(warps.bloom, _FINE),
    "blink": Motion(warps.blink, _FINE),
    "talk": Motion(warps.talk, _FINE),
    "smile": Motion(warps.smile, _FINE),
    "look": Motion(warps.look, _FINE),
    "snow": Motion(particles=_SNOW),
    "embers": Motion(particles=_EMBERS),
    "petals": Motion(warps.sway, particles=_PETALS),
    "twinkle": Motion(_CLOSER, particles=_STARS),
}
"""Motions by name."""
