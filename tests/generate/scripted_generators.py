"""Generators for tests, which say what they did in a file, fail on words, or take their time."""

import os
import time
from pathlib import Path

import numpy as np

from scripts.common.errors import Rejected
from scripts.common.roles import Sound


class Scripted:
    """Shows the image at a few brightnesses; the prompt may ask for a failure."""

    def __init__(
        self, weights=None, *, record: str, seconds: float = 0.0, cache=None, device="cpu"
    ):
        self._record, self._seconds = Path(record), seconds
        self._note("loaded")

    def generate(self, image, prompt, *, seed):
        self._note(f"{prompt} {seed}")
        time.sleep(self._seconds)
        if "fail" in prompt:
            raise RuntimeError("an odd shape\nin two lines")
        if "too large" in prompt:
            raise RuntimeError("CUDA out of memory")
        if "blank" in prompt:
            return np.full((3, 16, 16, 3), 7, dtype=np.uint8), 8.0
        if "nan" in prompt:
            raise Rejected("not_a_number")
        frame = np.resize(image, (16, 16, 3))
        if "frozen" in prompt:
            return np.stack([frame] * 3), 8.0
        if "odd" in prompt:
            return np.stack([frame[:15, :15]] * 3), 8.0
        if "float" in prompt:
            return np.stack([frame / 255] * 3), 8.0
        frames = np.stack([frame, frame // 2, frame // 4 + np.uint8(seed % 50)])
        if "song" in prompt:
            return frames, 8.0, Sound(np.full((1, 3000), 0.1, np.float32), 8000)
        return frames, 5.0 if "slow" in prompt else 8.0

    def _note(self, line):
        with open(self._record, "a") as file:
            file.write(f"{os.getpid()} {line}\n")
