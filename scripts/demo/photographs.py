"""Photographs that installed packages carry inside them, read without importing the packages."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from scripts.common.errors import UserError

PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick": ("skimage", "data/brick.png"),
    "camera": ("skimage", "data/camera.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "cell": ("skimage", "data/cell.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "coins": ("skimage", "data/coins.png"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "horse": ("skimage", "data/horse.png"),
    "hubble": ("skimage", "data/hubble_deep_field.jpg"),
    "moon": ("skimage", "data/moon.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "page": ("skimage", "data/page.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "text": ("skimage", "data/text.png"),
    "tissue": ("skimage", "data/ihc.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}
"""Name -> (package, path in it).

Those of scikit-image and matplotlib are CC0 or in the public domain; scikit-learn's china
(danielbuechele) and flower (vultilion) are CC BY 2.0.
"""

_DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}


@cache
def photograph(name: str) -> Image.Image:
    """Return a photograph by its name in ``PHOTOGRAPHS``, in RGB, at its own size.

    The picture is shared by all callers: do not draw on it.

    Raises:
        UserError: the package is not installed, or does not carry the file.
    """
    path = _package_file(*PHOTOGRAPHS[name])
    with Image.open(path) as picture:
        return picture.convert("RGB")


@cache
def cutout(name: str) -> Image.Image:
    """Return the dark shape on a white ground as a mask (mode L, 255 = inside)."""
    return ImageOps.invert(photograph(name).convert("L"))


@cache
def elevation() -> np.ndarray:
    """Return the terrain that matplotlib carries (Jacksboro fault, USGS): float32 [344, 403], m."""
    path = _package_file("matplotlib", "mpl-data/sample_data/jacksboro_fault_dem.npz")
    with np.load(path) as arrays:
        return arrays["elevation"].astype(np.float32)


def _package_file(package: str, relative: str) -> Path:
    found = importlib.util.find_spec(package)
    distribution = _DISTRIBUTIONS.get(package, package)
    if found is None or found.origin is None:
        raise UserError(
            f"the demo animates photographs that {distribution} carries: pip install {distribution}"
        )
    path = Path(found.origin).parent / relative
    if not path.is_file():
        raise UserError(f"{distribution} does not carry {relative}; install another release of it")
    return path
