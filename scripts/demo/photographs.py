"""Photographs that installed packages carry inside them, read without importing the packages."""

from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.common.errors import UserError

PHOTOGRAPHS = {
    "astronaut": ("scikit-image", "skimage/data/astronaut.png"),
    "brick": ("scikit-image", "skimage/data/brick.png"),
    "camera": ("scikit-image", "skimage/data/camera.png"),
    "cat": ("scikit-image", "skimage/data/chelsea.png"),
    "cell": ("scikit-image", "skimage/data/cell.png"),
    "coffee": ("scikit-image", "skimage/data/coffee.png"),
    "coins": ("scikit-image", "skimage/data/coins.png"),
    "grass": ("scikit-image", "skimage/data/grass.png"),
    "gravel": ("scikit-image", "skimage/data/gravel.png"),
    "horse": ("scikit-image", "skimage/data/horse.png"),
    "hubble": ("scikit-image", "skimage/data/hubble_deep_field.jpg"),
    "moon": ("scikit-image", "skimage/data/moon.png"),
    "motorcycle": ("scikit-image", "skimage/data/motorcycle_left.png"),
    "page": ("scikit-image", "skimage/data/page.png"),
    "retina": ("scikit-image", "skimage/data/retina.jpg"),
    "rocket": ("scikit-image", "skimage/data/rocket.jpg"),
    "text": ("scikit-image", "skimage/data/text.png"),
    "tissue": ("scikit-image", "skimage/data/ihc.png"),
    "china": ("scikit-learn", "sklearn/datasets/images/china.jpg"),
    "flower": ("scikit-learn", "sklearn/datasets/images/flower.jpg"),
    "hopper": ("matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg"),
}
"""Name -> (package, path of a file that it brings).

Those of scikit-image and matplotlib are CC0 or in the public domain; scikit-learn's china
(danielbuechele) and flower (vultilion) are CC BY 2.0.
"""


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
def elevation() -> np.ndarray:
    """Return the terrain that matplotlib carries (Jacksboro fault, USGS): float32 [344, 403], m."""
    path = _package_file("matplotlib", "matplotlib/mpl-data/sample_data/jacksboro_fault_dem.npz")
    with np.load(path) as arrays:
        return arrays["elevation"].astype(np.float32)


def _package_file(package: str, relative: str) -> Path:
    try:
        path = Path(str(metadata.distribution(package).locate_file(relative)))
    except metadata.PackageNotFoundError:
        raise UserError(
            f"the demo animates photographs that {package} carries: pip install {package}"
        ) from None
    if not path.is_file():
        raise UserError(f"{package} does not carry {relative}; install another release of it")
    return path
