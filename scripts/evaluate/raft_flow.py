"""Dimensions on the optical flow of RAFT."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import optical_flow

from scripts.common.errors import Rejected, UserError
from scripts.common.weight_files import weights_file
from scripts.evaluate.flow_dimensions import CameraMotionRule, DynamicDegreeRule, FlowDimension
from scripts.models.devices import pick_device
from scripts.models.weights import load_exactly, load_once, read_tensors

ARCHITECTURES = {"raft_large": optical_flow.raft_large, "raft_small": optical_flow.raft_small}
STRIDE = 8
SMALLEST_SIDE = 128
"""Below it the last level of RAFT's correlation pyramid is empty."""


class _Raft(FlowDimension):
    """RAFT's flow at the frames' own size; torchvision's weights C_T_V1 are its ``raft-things``."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        architecture: str = "raft_large",
        updates: int = 20,
    ):
        """Load the network, which a process has once.

        Args:
            weights: ``{path}`` or ``{hub, revision, file}`` of torchvision's RAFT.
            device: ``cpu``, ``cuda`` or ``auto``.
            architecture: ``raft_large`` or ``raft_small``.
            updates: refinements of the flow; the last one counts.

        Raises:
            UserError: the weights are missing or those of another network.
        """
        if architecture not in ARCHITECTURES:
            raise UserError(
                f"there is no architecture '{architecture}' of RAFT; 'settings.architecture' may "
                f"be one of: {', '.join(ARCHITECTURES)}"
            )
        path = weights_file(weights)
        self._device = pick_device(device)
        self.what = (architecture, str(path), str(self._device), updates)
        self._network = load_once(lambda: self._load(architecture, path), *self.what)
        self._updates = updates

    def _load(self, architecture: str, path: Path) -> nn.Module:
        network = ARCHITECTURES[architecture](weights=None, progress=False)
        load_exactly(network, read_tensors(path), path)
        return network.eval().to(self._device)

    def flow(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the displacement in pixels on the padded picture, float32 (2, height, width).

        Args:
            before: uint8 RGB of shape (height, width, 3).
            after: the same, later.

        Raises:
            Rejected: too_small.
        """
        pair = torch.from_numpy(np.stack([before, after])).permute(0, 3, 1, 2).to(self._device)
        pair = pad_to_stride(pair.float() * (2 / 255) - 1)
        if min(pair.shape[-2:]) < SMALLEST_SIDE:
            raise Rejected("too_small", f"sides below {SMALLEST_SIDE} pixels")
        with torch.inference_mode():
            flows = self._network(pair[:1], pair[1:], num_flow_updates=self._updates)
        return flows[-1][0].float().cpu().numpy()


class DynamicDegree(_Raft, DynamicDegreeRule):
    """VBench's dynamic degree on RAFT's flow."""


class CameraMotion(CameraMotionRule, _Raft):
    """What the camera did, on RAFT's flow."""


def pad_to_stride(pixels: torch.Tensor, stride: int = STRIDE) -> torch.Tensor:
    """Repeat the borders of (..., height, width), the same at both ends, to multiples of a stride."""
    rows, columns = (-side % stride for side in pixels.shape[-2:])
    return functional.pad(
        pixels,
        (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2),
        mode="replicate",
    )
