"""Camera move: a smooth zoom or pan over the image, the most faithful of the procedures."""

import numpy as np
from PIL import Image

from scripts.generate.canvas import Procedure, canvas_size, mentions, strength

REACH = 0.28
"""Share of the image's sides that a move of ordinary strength leaves out at its end."""
PLACES = (("left(?:wards?)?", "right(?:wards?)?"), ("up(?:wards?)?", "down(?:wards?)?"))
"""Words that lead the camera to an edge: of x, of y; low, high."""


class CameraMove(Procedure):
    """Moves a virtual camera as the prompt's words say, from the whole image or back to it.

    ``zoom out`` ends at the whole image; ``left``, ``right``, ``up`` and ``down`` lead the camera
    there; without such words it moves in on a place that the seed picks near the middle.
    """

    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames and frame rate (``scripts.common.roles.Generator``)."""
        width, height = canvas_size(image, self._size)
        whole = np.array([0.0, 0.0, image.shape[1], image.shape[0]])
        part = self._end_of_move(whole, prompt, seed)
        first, last = (part, whole) if _moves_out(prompt) else (whole, part)
        # One reduction serves all frames; twice the canvas keeps detail for the closest view.
        picture, shrunk = _reduce(Image.fromarray(image), 2 * max(width, height))
        steps = (1 - np.cos(np.pi * np.linspace(0, 1, self._frames))) / 2
        boxes = [tuple(((1 - step) * first + step * last) * shrunk) for step in steps]
        seen = [picture.resize((width, height), Image.Resampling.BICUBIC, box) for box in boxes]
        return np.stack([np.asarray(frame) for frame in seen]), self._fps

    def _end_of_move(self, whole: np.ndarray, prompt: str, seed: int) -> np.ndarray:
        kept = 1 - REACH * strength(prompt)
        # Where in the image the camera ends: 0 left or top ... 1 right or bottom.
        place = np.random.default_rng(seed).uniform(0.35, 0.65, size=2)
        for axis, (low, high) in enumerate(PLACES):
            if mentions(prompt, low):
                place[axis] = 0.0
            elif mentions(prompt, high):
                place[axis] = 1.0
        corner = place * (1 - kept) * whole[2:]
        return np.concatenate([corner, corner + kept * whole[2:]])


def _moves_out(prompt: str) -> bool:
    return mentions(prompt, "zoom(?:s|ed|ing)? out", "pull(?:s|ed|ing)? (?:back|out)")


def _reduce(picture: Image.Image, side: int) -> tuple[Image.Image, np.ndarray]:
    """Return the picture with no side over ``side``, and the factors on x, y, x, y."""
    scale = min(1.0, side / max(picture.size))
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    factors = [new / old for new, old in zip(size, picture.size, strict=True)]
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return picture, np.array(factors * 2)
