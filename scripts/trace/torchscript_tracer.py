"""Tracers that are published as TorchScript, such as SSCD."""

from collections.abc import Mapping

import torch

from scripts.common.errors import UserError
from scripts.common.weight_files import weights_file
from scripts.models.devices import pick_device
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.torch_tracer import TorchTracer


class TorchScriptTracer(TorchTracer):
    """Describes pictures by a TorchScript module; a Tracer.

    Unlike all other weights here, TorchScript is code: loading it runs no Python, but the program
    in the file then runs with the rights of the job, and PyTorch gives no promise that it can do
    no harm. Take such files from their authors only, and give the entry's weights a ``sha256``,
    without which the file that is there is trusted.
    """

    def __init__(
        self,
        weights: Mapping[str, str],
        device: str = "cpu",
        *,
        dimension: int,
        image_size: int = 320,
        resize: str = "squeeze",
        shorter_side: int | None = None,
        interpolation: str = "bilinear",
        normalisation: str = "imagenet",
        batch_size: int = 64,
        precision: str = "float32",
    ):
        """Load the module; for the other arguments see ``TorchTracer`` and ``Preprocessing``.

        Args:
            weights: a file.
            device: ``cpu``, ``cuda`` or ``auto``.
            dimension: numbers that describe a picture.
            image_size: see ``Preprocessing``; SSCD's authors take 320, squeezed, for batches.
            resize: likewise.
            shorter_side: likewise.
            interpolation: likewise.
            normalisation: likewise.
            batch_size: see ``TorchTracer``.
            precision: likewise.

        Raises:
            UserError: the file is missing, is no TorchScript, or is not the one that was expected.
        """
        path = weights_file(weights, "model.safetensors")
        try:
            network = torch.jit.load(path, map_location=pick_device(device))
        except RuntimeError as error:
            first = str(error).splitlines()[0]
            raise UserError(f"{path} cannot be read as TorchScript ({first})") from None
        super().__init__(
            network.eval(),
            Preprocessing(image_size, resize, shorter_side, interpolation, normalisation),
            name=path.name,
            dimension=dimension,
            device=device,
            batch_size=batch_size,
            precision=precision,
        )
