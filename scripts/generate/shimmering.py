"""Shimmer: a nearly still image under noise, flicker and the blocks of heavy compression."""

import numpy as np

from scripts.common.video import encode_video, read_frames
from scripts.generate.canvas import fit_canvas, strength, to_bytes

JITTER = 2
"""Largest shift of a frame, in pixels."""
NOISE = 22.0
"""Standard deviation of the noise, in levels of 255."""
FLICKER = 0.14
"""Standard deviation of the brightness of a frame, relative."""
GENERATIONS = 2
"""How often the video is compressed and decoded again."""


class Shimmer:
    """Jitters the image, adds noise and flicker, and compresses the video repeatedly."""

    def __init__(
        self, weights=None, *, size: int, frames: int, fps: float, crf: int, device: str = "cpu"
    ):
        """Set the longer side in pixels, frames, frame rate in 1/s, and x264's rate factor."""
        self._size, self._frames, self._fps, self._crf = size, frames, fps, crf

    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames and frame rate (``scripts.common.roles.Generator``)."""
        still = fit_canvas(image, self._size).astype(np.float32)
        height, width = still.shape[:2]
        wide = np.pad(still, ((JITTER, JITTER), (JITTER, JITTER), (0, 0)), mode="edge")
        random = np.random.default_rng(seed)
        noise, flicker = NOISE * strength(prompt), FLICKER * strength(prompt)
        frames = []
        for _ in range(self._frames):
            top, left = random.integers(0, 2 * JITTER + 1, size=2)
            frame = wide[top : top + height, left : left + width]
            frame = frame * np.float32(1 + flicker * random.normal())
            # Noise of half the resolution survives the encoder, which throws fine noise away.
            grain = random.standard_normal((height // 2, width // 2, 3), dtype=np.float32)
            frame += np.float32(noise) * grain.repeat(2, axis=0).repeat(2, axis=1)
            frames.append(to_bytes(frame))
        video = np.stack(frames)
        for generation in range(GENERATIONS):
            crf = min(51, self._crf + 2 * generation)
            video = read_frames(encode_video(video, self._fps, crf=crf))
        return video, self._fps
