"""The warps and lights of the demo's motions, each a small function of place and time.

Coordinates (u, v) run over the frame from -1 to 1. A warp says where in the picture a point of the
frame is taken from: at time 0 from its own place, as the first frame is the picture itself.
"""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Step:
    """What a warp may use: time in [0, 1], strength around 1, a phase in [0, 1), the frame's width
    over its height."""

    time: float
    strength: float
    phase: float
    aspect: float

    @property
    def side(self) -> int:
        """Left (-1) or right (1): chosen by the phase."""
        return 1 if self.phase < 0.5 else -1

    @property
    def onset(self) -> float:
        """Rises from 0 to 1 in the first third, so that a swing begins without a jump."""
        return min(1.0, 3 * self.time)

    def swing(self, turns: float) -> float:
        """A sine with so many periods in the video, 0 at the start."""
        return float(np.sin(2 * np.pi * turns * self.time))


def _zoom(u: Array, v: Array, scale: float) -> tuple[Array, Array]:
    return u * scale, v * scale


def _turn(u: Array, v: Array, angle: float, aspect: float) -> tuple[Array, Array]:
    cosine, sine = np.cos(angle), np.sin(angle)
    return u * cosine - v * sine / aspect, u * sine * aspect + v * cosine


def _bump(u: Array, v: Array, centre: tuple[float, float], width: float) -> Array:
    return np.exp(-((u - centre[0]) ** 2 + (v - centre[1]) ** 2) / width**2)


def zoom(u, v, step, *, by, most):
    """The camera comes closer, or goes back where ``by`` is negative; no stronger than ``most``."""
    return _zoom(u, v, 1 - by * min(most, step.strength) * step.time)


def camera(u, v, step, *, zoom=0.0, pan=(0.0, 0.0), aside=0.0, roll=0.0, lift=0.0, steps=0.0):
    """The camera moves on: by how much it has come closer, has turned right and down, has gone to
    the side of its phase and has rolled at the end, and how high its steps go, and how many."""
    u, v = _zoom(u, v, 1 - zoom * step.time)
    u, v = _turn(u, v, roll * step.strength * step.time, step.aspect)
    u = u + (pan[0] - aside * step.side) * step.strength * step.time
    v = v + pan[1] * step.strength * step.time
    return u, v + lift * step.strength * abs(step.swing(steps))


def sway(u, v, step):
    """The upper part swings from side to side, the lower part stands."""
    return u + 0.07 * step.strength * step.side * step.swing(1.5) * (1 - v) / 2, v


def wind(u, v, step):
    """A wave travels sideways, as through hair or leaves."""
    wave = np.sin(2 * np.pi * (2 * step.time + 0.8 * v + step.phase))
    still_wave = np.sin(2 * np.pi * (0.8 * v + step.phase))
    return u + 0.022 * step.strength * (wave - still_wave), v


def flow(u, v, step):
    """Two waves cross, as on water."""
    x = np.sin(2 * np.pi * (1.5 * step.time + 1.1 * v)) - np.sin(2 * np.pi * 1.1 * v)
    y = np.sin(2 * np.pi * (1.5 * step.time + 0.9 * u)) - np.sin(2 * np.pi * 0.9 * u)
    return u + 0.018 * step.strength * x, v + 0.024 * step.strength * y


def dance(u, v, step):
    """Leaning left and right to a beat."""
    u, v = _turn(u, v, 0.06 * step.strength * step.side * step.swing(2), step.aspect)
    return _zoom(u, v + 0.03 * step.strength * abs(step.swing(4)), 1 - 0.05 * step.onset)


def turn(u, v, step):
    """One side comes nearer, as when a head or a car turns."""
    depth = 1 + 0.24 * step.strength * step.time * step.side * u
    return u / depth + 0.08 * step.side * step.strength * step.time, v / depth


def hover(u, v, step):
    """Slowly up and down, without weight."""
    u, v = _turn(u, v, 0.03 * step.strength * step.side * step.swing(0.5), step.aspect)
    return u, v + 0.09 * step.strength * step.swing(0.75)


def fall(u, v, step):
    """Down, faster and faster."""
    return u, v - 0.15 * step.strength * step.time**2


def shake(u, v, step):
    """A trembling camera or ground."""
    jolt = 0.030 * step.strength * np.exp(-1.2 * step.time)
    return (
        u + jolt * step.swing(9) * np.cos(5 * step.time),
        v + jolt * step.swing(7) * np.cos(3 * step.time + step.phase),
    )


def morph(u, v, step):
    """The middle twists."""
    angle = 0.9 * step.strength * step.side * step.time * _bump(u, v, (0, 0), 0.75)
    return _turn(u, v, angle, step.aspect)


def pulse(u, v, step):
    """The middle swells and shrinks, as in breathing."""
    return _zoom(u, v, 1 - 0.10 * step.strength * step.swing(1) ** 2 * _bump(u, v, (0, 0), 0.9))


def bloom(u, v, step):
    """The middle opens and grows."""
    return _zoom(u, v, 1 - 0.26 * step.strength * step.time * _bump(u, v, (0, 0), 0.8))


def blink(u, v, step):
    """The upper middle closes and opens twice."""
    closing = max(0.0, step.swing(2)) ** 4
    near = _bump(u, v, (0, -0.15), 0.45)
    return u, v + (v + 0.15) * 0.9 * step.strength * closing * near


def talk(u, v, step):
    """The lower middle opens and closes quickly."""
    near = _bump(u, v, (0, 0.25), 0.38)
    return u, v - (v - 0.25) * 0.35 * step.strength * abs(step.swing(3.5)) * near


def smile(u, v, step):
    """The lower middle widens and lifts at its ends."""
    near = _bump(u, v, (0, 0.2), 0.5) * np.sin(np.pi / 2 * step.onset)
    lift = 0.20 * step.strength * np.abs(u) * near
    return u * (1 - 0.16 * step.strength * near), v + lift


def look(u, v, step):
    """The middle turns to one side and back."""
    near = _bump(u, v, (0, -0.05), 0.6)
    return u - 0.11 * step.strength * step.side * step.swing(0.5) * near, v


def glow(pixels: Array, step: Step) -> Array:
    """Light swells and fades."""
    gain = 1 + 0.28 * step.strength * step.swing(1) ** 2
    return np.clip(pixels * np.float32(gain), 0, 255).astype(np.uint8)


def flicker(pixels: Array, step: Step) -> Array:
    """Light drops and comes back, unevenly."""
    gain = 1 - 0.22 * step.strength * abs(step.swing(5) * np.cos(9 * step.time + step.phase))
    return (pixels * np.float32(gain)).astype(np.uint8)


def shift_hue(pixels: Array, step: Step) -> Array:
    """Turn colours about the grey axis by up to a quarter of the circle."""
    angle = 0.5 * np.pi * step.strength * step.time * step.side
    cosine, sine = np.cos(angle), np.sin(angle) / np.sqrt(3)
    same, other = cosine + (1 - cosine) / 3, (1 - cosine) / 3
    row = [same, other - sine, other + sine]
    matrix = np.array([row[-turn:] + row[:-turn] for turn in range(3)], np.float32)
    return np.clip(pixels.astype(np.float32) @ matrix.T, 0, 255).astype(np.uint8)
