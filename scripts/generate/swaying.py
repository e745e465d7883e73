"""Sway: the image waves like cloth or grass; nothing else changes."""

import numpy as np

from scripts.generate.canvas import Procedure, fit_canvas, grid, sample, strength, to_bytes

AMPLITUDE = 0.03
"""Largest displacement of ordinary strength, as a share of the image's width."""


class Sway(Procedure):
    """Warps the image by a travelling sine wave that grows from its lower edge to its upper."""

    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames and frame rate (``scripts.common.roles.Generator``)."""
        still = fit_canvas(image, self._size).astype(np.float32)
        height, width = still.shape[:2]
        random = np.random.default_rng(seed)
        reach = AMPLITUDE * width * strength(prompt) * random.uniform(0.8, 1.2)
        waves = random.uniform(0.7, 1.3)  # from the lower to the upper edge
        turns = random.uniform(0.9, 1.4) * self._frames / 16  # in the whole video
        turns *= random.choice([-1, 1])
        x, y = grid(height, width)
        rise = 1 - y / height
        frames = []
        for moment in np.linspace(0, 1, self._frames, dtype=np.float32):
            phase = np.float32(2 * np.pi) * (np.float32(turns) * moment + np.float32(waves) * rise)
            # The sway swells within the first quarter, so that the first frame is the image.
            swell = np.float32(reach * min(1.0, 4 * moment))
            bent_x = x + swell * rise * np.sin(phase)
            bent_y = y + np.float32(0.3) * swell * rise * np.cos(phase)
            frames.append(to_bytes(sample(still, bent_x, bent_y)))
        return np.stack(frames), self._fps
