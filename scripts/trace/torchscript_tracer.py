"""Tracers that are published as TorchScript, such as SSCD."""

from collections.abc import Mapping
from typing import Any

import torch

from scripts.common.errors import UserError
from scripts.common.weight_files import weights_file
from scripts.models.devices import pick_device
from scripts.trace.torch_tracer import TorchTracer


class TorchScriptTracer(TorchTracer):
    """Describes pictures by a TorchScript module; a Tracer.

    Unlike all other weights here, TorchScript is code: loading it runs no Python, but the program
    in the file then runs with the rights of the job, and PyTorch gives no promise that it can do
    no harm. Take such files from their authors only, and give the entry's weights a ``sha256``,
    without which the file that is there is trusted.
    """

    def __init__(self, weights: Mapping[str, str], device: str = "cpu", **described: Any):
        """Load the module.

        Args:
            weights: a file.
            device: ``cpu``, ``cuda`` or ``auto``.
            described: what else ``TorchTracer`` takes.

        Raises:
            UserError: the file is missing, is no TorchScript, or is not the one that was expected.
        """
        path = weights_file(weights, "model.safetensors")
        try:
            network = torch.jit.load(path, map_location=pick_device(device))
        except RuntimeError as error:
            first = str(error).splitlines()[0]
            raise UserError(f"{path} cannot be read as TorchScript ({first})") from None
        super().__init__(network.eval(), name=path.name, device=device, **described)
