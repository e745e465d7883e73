"""Motions that animate one picture: smooth warps, particles and light, each named for its action.

A motion starts from the picture itself (at time 0 nothing is moved), as an image-to-video model
does. Coordinates (u, v) run over the frame from -1 to 1; the picture reaches to ``MARGIN`` on each
side, so that a camera has somewhere to go.
"""

from collections.abc import Callable
from dataclasses import dataclass

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
    warp, cells, particles = MOTIONS[motion]
    random = np.random.default_rng(seed)
    phase, heading = random.random(2).tolist()
    strength *= 0.85 + 0.3 * random.random()
    grid = _grid(size, cells)
    flakes = None if particles is None else _flakes(particles, random)
    result = np.empty((frames, size[1], size[0], 3), np.uint8)
    for number in range(frames):
        step = Step(number / (frames - 1), strength, phase, size[0] / size[1])
        u, v = warp(grid.u, grid.v, step)
        u = u + DRIFT * step.time * np.cos(2 * np.pi * heading)
        v = v + DRIFT * step.time * np.sin(2 * np.pi * heading)
        mesh = _mesh(grid, u, v, picture.size)
        frame = picture.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
        pixels = np.asarray(frame)
        if motion in warps.LIGHTS:
            pixels = warps.LIGHTS[motion](pixels, step)
        if flakes is not None:
            pixels = _with_flakes(pixels, flakes, particles, step)
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
class _Grid:
    columns: Array
    rows: Array
    u: Array
    v: Array


def _grid(size: tuple[int, int], cells: tuple[int, int]) -> _Grid:
    columns = np.round(np.linspace(0, size[0], cells[0] + 1)).astype(int)
    rows = np.round(np.linspace(0, size[1], cells[1] + 1)).astype(int)
    u, v = np.meshgrid(2 * columns / size[0] - 1, 2 * rows / size[1] - 1)
    return _Grid(columns, rows, u, v)


def _mesh(grid: _Grid, u: Array, v: Array, canvas: tuple[int, int]) -> list:
    """Return Pillow's mesh: per cell its box in the frame and its four corners in the picture."""
    x = (np.clip(u, -MARGIN, MARGIN) / MARGIN + 1) / 2 * canvas[0]
    y = (np.clip(v, -MARGIN, MARGIN) / MARGIN + 1) / 2 * canvas[1]
    corners = np.stack(
        [
            x[:-1, :-1],
            y[:-1, :-1],
            x[1:, :-1],
            y[1:, :-1],
            x[1:, 1:],
            y[1:, 1:],
            x[:-1, 1:],
            y[:-1, 1:],
        ],
        axis=-1,
    ).tolist()
    columns, rows = grid.columns.tolist(), grid.rows.tolist()
    return [
        ((columns[i], rows[j], columns[i + 1], rows[j + 1]), corners[j][i])
        for j in range(len(rows) - 1)
        for i in range(len(columns) - 1)
    ]


def _flakes(particles: Particles, random: np.random.Generator) -> Array:
    """Return [count, 4]: where each starts, its size and its own speed, all in [0, 1)."""
    return random.random((particles.count, 4))


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


CAMERA, FINE = (1, 1), (8, 6)

MOTIONS: dict[str, tuple[Callable, tuple[int, int], Particles | None]] = {
    "zoom_in": (warps.zoom_in, CAMERA, None),
    "zoom_out": (warps.zoom_out, CAMERA, None),
    "pan_left": (warps.pan_left, CAMERA, None),
    "pan_right": (warps.pan_right, CAMERA, None),
    "pan_up": (warps.pan_up, CAMERA, None),
    "pan_down": (warps.pan_down, CAMERA, None),
    "rotate_cw": (warps.rotate_cw, CAMERA, None),
    "rotate_ccw": (warps.rotate_ccw, CAMERA, None),
    "bob": (warps.bob, CAMERA, None),
    "run": (warps.run, CAMERA, None),
    "fly": (warps.fly, CAMERA, None),
    "fall": (warps.fall, CAMERA, None),
    "hover": (warps.hover, CAMERA, None),
    "shake": (warps.shake, CAMERA, None),
    "dance": (warps.dance, CAMERA, None),
    "sway": (warps.sway, CAMERA, None),
    "glow": (warps.still, CAMERA, None),
    "flicker": (warps.still, CAMERA, None),
    "turn": (warps.turn, FINE, None),
    "wind": (warps.wind, FINE, None),
    "flow": (warps.flow, FINE, None),
    "morph": (warps.morph, FINE, None),
    "pulse": (warps.pulse, FINE, None),
    "bloom": (warps.bloom, FINE, None),
    "blink": (warps.blink, FINE, None),
    "talk": (warps.talk, FINE, None),
    "smile": (warps.smile, FINE, None),
    "look": (warps.look, FINE, None),
    "snow": (warps.still, CAMERA, Particles(46, (255, 255, 255), 1.6, 1.0, 0.2)),
    "embers": (warps.still, CAMERA, Particles(34, (255, 170, 60), 1.3, -0.8, 0.15)),
    "petals": (warps.sway, CAMERA, Particles(22, (250, 178, 196), 2.4, 0.7, 0.4)),
    "twinkle": (warps.zoom_in, CAMERA, Particles(26, (255, 255, 240), 1.1, 0.02, 0.05)),
}
"""Motions by name: the warp, the cells of its mesh (columns, rows), and what drifts in front."""
