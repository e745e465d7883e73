"""What all tracers that are torch networks share: batches, precision, unit vectors."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

from scripts.common.devices import pick_device
from scripts.common.errors import UserError
from scripts.trace.preprocessing import Preprocessing

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class TorchTracer:
    """Describes pictures by a network's output; a Tracer."""

    def __init__(
        self,
        network: Callable[[torch.Tensor], torch.Tensor],
        preprocessing: Preprocessing,
        *,
        name: str,
        dimension: int,
        device: str = "cpu",
        batch_size: int = 64,
        precision: str = "float32",
    ):
        """Take a network that is ready to run on ``device``.

        Args:
            network: maps normalised pictures (batch, 3, side, side) to (batch, dimension).
            preprocessing: of the pictures.
            name: what errors call the model.
            dimension: numbers that describe a picture; what the network gives is compared.
            device: ``cpu``, ``cuda`` or ``auto``.
            batch_size: pictures per forward pass.
            precision: ``float32`` or ``bfloat16`` (autocast).
        """
        if precision not in PRECISIONS:
            raise UserError(
                f"tracer {name}: 'precision' is {precision!r}; it may be one of: "
                f"{', '.join(PRECISIONS)}"
            )
        self.dimension = dimension
        self._network, self._preprocessing, self._name = network, preprocessing, name
        self._device, self._batch_size = pick_device(device), batch_size
        self._precision = PRECISIONS[precision]

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, dimension), rows of length 1; images are uint8 RGB.

        Raises:
            UserError: the network gives another number of values than the entry says.
        """
        vectors = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), self._batch_size):
            batch = images[start : start + self._batch_size]
            vectors[start : start + len(batch)] = self._embed_batch(batch)
        return vectors

    def _embed_batch(self, images: Sequence[np.ndarray]) -> np.ndarray:
        pixels = self._preprocessing.to_batch(images, self._device)
        with (
            torch.inference_mode(),
            torch.autocast(
                self._device.type, self._precision, enabled=self._precision != torch.float32
            ),
        ):
            features = self._network(pixels).float()
        if features.shape != (len(images), self.dimension):
            raise UserError(
                f"tracer {self._name} describes a picture by {tuple(features.shape[1:])} numbers, "
                f"not {self.dimension}; correct 'settings.dimension' of its entry, or its weights"
            )
        return functional.normalize(features, dim=1).cpu().numpy()
