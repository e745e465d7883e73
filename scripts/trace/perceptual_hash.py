"""A perceptual hash as a tracer: no weights, no network."""

from collections.abc import Mapping, Sequence

import imagehash
import numpy as np
from PIL import Image


class PerceptualHash:
    """Describes pictures by the signs of their lowest frequencies; a Tracer.

    The hash is pHash (a DCT of the greyscale picture, each of the lowest frequencies compared
    with their median), its bits written as +1 and -1 and scaled to length 1, so that a cosine is
    1 - 2 x (share of bits that differ).
    """

    def __init__(
        self, weights: Mapping[str, str] | None = None, device: str = "cpu", *, hash_size: int = 8
    ):
        """Set the number of bits.

        Args:
            weights: there are none.
            device: taken for the role's sake; hashes are made on the CPU.
            hash_size: frequencies along a side; the hash has its square of bits.
        """
        self.dimension = hash_size**2
        self._hash_size = hash_size

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, hash_size ** 2), rows of length 1; images uint8 RGB."""
        bits = [
            imagehash.phash(Image.fromarray(image), hash_size=self._hash_size).hash.ravel()
            for image in images
        ]
        signs = np.where(np.stack(bits), 1.0, -1.0) if bits else np.empty((0, self.dimension))
        return (signs / np.sqrt(self.dimension)).astype(np.float32)
