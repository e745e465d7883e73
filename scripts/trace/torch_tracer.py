"""What all tracers that are torch networks share: batches, precision, unit vectors."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from scripts.common.errors import UserError
from scripts.models.devices import mixed_precision, pick_device
from scripts.trace.preprocessing import Preprocessing


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw random weights from a seed inside, and leave what is drawn outside as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def is_stand_in(weights: Mapping[str, str] | None, seed: int | None) -> bool:
    """Return whether a network's weights are random ones, of a seed.

    Raises:
        UserError: there are others, too.
    """
    if weights and seed is not None:
        raise UserError(
            "config/tracers.yaml: an entry has 'weights' and also 'settings.seed', which asks for "
            "random ones; leave one of them out"
        )
    return seed is not None


class TorchTracer:
    """Describes pictures by a network's output; a Tracer."""

    precision = "float32"

    def __init__(
        self,
        network: Callable[[torch.Tensor], torch.Tensor],
        *,
        name: str,
        dimension: int,
        sizes: Sequence[int] = (),
        device: str = "cpu",
        batch_size: int = 64,
        precision: str = "float32",
        **shaping: int | str | None,
    ):
        """Take a network that is ready to run on ``device``.

        Args:
            network: maps normalised pictures (batch, 3, side, side) to (batch, dimension).
            name: what errors call the model.
            dimension: numbers that describe a picture; what the network gives is compared.
            sizes: if given, a picture is described at each of these image sizes, and the mean of
                the unit vectors counts.
            device: ``cpu``, ``cuda`` or ``auto``.
            batch_size: pictures per forward pass.
            precision: of the forward pass on a GPU (``mixed_precision``).
            shaping: of the pictures (``Preprocessing``).

        Raises:
            UserError: there is no such precision, or no such shaping.
        """
        self.dimension, self.precision = dimension, precision
        self._network, self._name = network, name
        shape = Preprocessing(**shaping)
        self._scales = [replace(shape, image_size=size) for size in sizes] or [shape]
        self._device, self._batch_size = pick_device(device), batch_size
        mixed_precision(self._device, precision)  # refuses an unknown one before any work

    def prepare(
        self, image: np.ndarray, squares: dict[Hashable, np.ndarray] | None = None
    ) -> list[np.ndarray]:
        """Return a picture (uint8 RGB) as the network's squares, one for each size.

        Readers call this in threads of their own, beside the network.

        Args:
            image: the picture.
            squares: those that other tracers took of it, by how they are made; new ones are added.
        """
        squares = {} if squares is None else squares
        for scale in self._scales:
            if scale.shape not in squares:
                squares[scale.shape] = scale.to_square(image)
        return [squares[scale.shape] for scale in self._scales]

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, dimension), rows of length 1; images are uint8 RGB.

        Raises:
            UserError: the network gives another number of values than the entry says.
        """
        return self.embed_prepared([self.prepare(image) for image in images])

    def embed_prepared(self, pictures: Sequence[list[np.ndarray]]) -> np.ndarray:
        """Return what ``embed`` does, of pictures that went through ``prepare``."""
        vectors = np.empty((len(pictures), self.dimension), np.float32)
        for start in range(0, len(pictures), self._batch_size):
            batch = pictures[start : start + self._batch_size]
            total = sum(
                self._embed_batch(scale, np.stack(squares))
                for scale, squares in zip(self._scales, zip(*batch, strict=True), strict=True)
            )
            vectors[start : start + len(batch)] = functional.normalize(total, dim=1).cpu().numpy()
        return vectors

    def _embed_batch(self, scale: Preprocessing, squares: np.ndarray) -> torch.Tensor:
        """Return unit vectors of squares, uint8 of shape (pictures, side, side, 3)."""
        pixels = torch.from_numpy(squares).to(self._device, non_blocking=True)
        pixels = scale.normalise(pixels.permute(0, 3, 1, 2))
        with torch.inference_mode(), mixed_precision(self._device, self.precision):
            features = self._network(pixels).float()
        if features.shape != (len(squares), self.dimension):
            raise UserError(
                f"tracer {self._name} describes a picture by {tuple(features.shape[1:])} numbers, "
                f"not {self.dimension}; correct 'settings.dimension' of its entry, or its weights"
            )
        return functional.normalize(features, dim=1)
