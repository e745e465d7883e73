"""Morph: shapes melt and colours drift, so that late frames are far from the image."""

import numpy as np

from scripts.generate.canvas import Procedure, fit_canvas, grid, sample, strength, to_bytes

BEND = 0.22
"""Largest displacement at the end, as a share of the image's longer side."""
TWIST = 1.6
"""Angle by which the middle has turned at the end, in radians."""
HUE = 2.0
"""Angle by which the colours have turned about the grey axis at the end, in radians."""


class Morph(Procedure):
    """Warps the image ever more by a smooth random field and a whirl, and turns its hues."""

    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames and frame rate (``scripts.common.roles.Generator``)."""
        still = fit_canvas(image, self._size).astype(np.float32)
        height, width = still.shape[:2]
        random = np.random.default_rng(seed)
        x, y = grid(height, width)
        longer = max(height, width)
        bend_x, bend_y = (_smooth_field(x / longer, y / longer, random) for _ in range(2))
        bend = np.float32(BEND * longer * strength(prompt))
        right, down = x - width / 2, y - height / 2
        nearness = np.exp(-(right**2 + down**2) / np.float32((0.35 * longer) ** 2))
        twist, hue = TWIST * random.choice([-1, 1]), HUE * random.choice([-1, 1])
        frames = []
        for moment in np.linspace(0, 1, self._frames, dtype=np.float32):
            grown = moment ** np.float32(1.5)
            angle = np.float32(twist) * grown * nearness
            cos, sin = np.cos(angle), np.sin(angle)
            frame = sample(
                still,
                width / 2 + cos * right - sin * down + bend * grown * bend_x,
                height / 2 + sin * right + cos * down + bend * grown * bend_y,
            )
            frames.append(to_bytes(frame @ _hue_rotation(hue * float(grown)).T))
        return np.stack(frames), self._fps


def _smooth_field(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a sum of four plane waves of one to three periods, scaled to [-1, 1]."""
    field = np.zeros_like(x)
    for _ in range(4):
        along_x, along_y = random.uniform(-3, 3, size=2)
        phase = random.uniform(0, 2 * np.pi)
        field += np.sin(np.float32(2 * np.pi) * (along_x * x + along_y * y) + phase)
    return (field / np.abs(field).max()).astype(np.float32)


def _hue_rotation(angle: float) -> np.ndarray:
    """Return the rotation of RGB about the grey axis (Rodrigues' formula)."""
    cos, sin = np.cos(angle), np.sin(angle)
    axis = np.sqrt(1 / 3)
    cross = axis * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    return (cos * np.eye(3) + sin * cross + (1 - cos) / 3).astype(np.float32)
