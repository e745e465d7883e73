"""LNP: a ResNet-50 on the noise that a denoiser finds in a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.transforms import functional as transforms

from scripts.detect.picture_classifier import ResNetClassifier, batches
from scripts.models.weights import cut_prefix, load_exactly, read_tensors


class Lnp(ResNetClassifier):
    """LNP (Liu et al., Detecting generated images by real images, 2022).

    As in the harness of Table 3 and in the authors' own script, quirks included, since the
    classifier was trained on them: the noise is what CycleISP's denoiser takes away, negated, of
    which what is below 0 is cut off; as whole numbers from 0 to 255 it is multiplied by 255 once
    more, so that v wraps round to (256 - v) mod 256; and OpenCV saves it as if it were BGR, so that
    its channels come back in the opposite order. A picture keeps its size until then.
    """

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        classifier: str = "LNP.pth",
        denoiser: str = "sidd_rgb.pth",
        groups: int = 4,
        blocks: int = 8,
        channels: int = 64,
        **settings: Any,
    ):
        """Load both files in the folder ``weights['path']``.

        Args:
            weights: the folder.
            classifier: its file with the ResNet-50.
            denoiser: its file with CycleISP's network for sRGB pictures (key 'state_dict').
            groups: residual groups of the denoiser.
            blocks: attention blocks of each.
            channels: of each.
            settings: ``resize`` and ``crop`` of what is made of a picture, and ``device``.

        Raises:
            UserError: a file is missing or does not fit.
        """
        super().__init__(weights, classifier=classifier, **settings)
        source = Denoiser(groups, blocks, channels)
        state = cut_prefix(read_tensors(self._folder / denoiser, "state_dict"), r"module\.")
        load_exactly(source, state, self._folder / denoiser)
        self._denoiser = source.eval().to(self._device)

    @torch.inference_mode()
    def seen(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the pictures' noise as pictures."""
        noise = [
            -self._denoiser(batch.to(self._device)).clamp(-1, 0)
            for batch in batches([transforms.to_tensor(image) for image in images])
        ]
        pictures = [one.permute(1, 2, 0).cpu().numpy() for batch in noise for one in batch]
        levels = [np.rint(picture * np.float32(255)).astype(np.uint8) for picture in pictures]
        return [np.ascontiguousarray((level * np.uint8(255))[:, :, ::-1]) for level in levels]


class Denoiser(nn.Module):
    """CycleISP's denoiser of sRGB pictures (Zamir et al., 2020): what is added to denoise them."""

    def __init__(self, groups: int, blocks: int, channels: int):
        """Build it; its layers are called as in the authors' checkpoint."""
        super().__init__()
        self.head = nn.Sequential(_convolution(3, channels))
        slope = nn.PReLU(channels)  # one for all
        body = [_Group(blocks, channels, slope) for _ in range(groups)]
        self.body = nn.Sequential(*body, _convolution(channels, channels), slope)
        self.tail = nn.Sequential(_convolution(channels, 3))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (pictures, 3, height, width), of pixels in [0, 1] of the same shape."""
        return self.tail(self.body(self.head(pixels)))


class _Group(nn.Module):
    def __init__(self, blocks: int, channels: int, slope: nn.PReLU):
        super().__init__()
        body = [_DualAttention(channels, slope) for _ in range(blocks)]
        self.body = nn.Sequential(*body, _convolution(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + x


class _DualAttention(nn.Module):
    """Two convolutions, weighed by place and by channel."""

    def __init__(self, channels: int, slope: nn.PReLU):
        super().__init__()
        self.body = nn.Sequential(
            _convolution(channels, channels), slope, _convolution(channels, channels)
        )
        self.SA = nn.Module()
        self.SA.spatial = nn.Module()
        self.SA.spatial.conv = _convolution(2, 1, bias=False)
        self.CA = nn.Module()
        narrow = channels // 16
        self.CA.conv_du = nn.Sequential(
            nn.Conv2d(channels, narrow, 1), nn.ReLU(), nn.Conv2d(narrow, channels, 1), nn.Sigmoid()
        )
        self.conv1x1 = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.body(x)
        summary = torch.cat([found.amax(1, keepdim=True), found.mean(1, keepdim=True)], dim=1)
        by_place = found * torch.sigmoid(self.SA.spatial.conv(summary))
        by_channel = found * self.CA.conv_du(found.mean((2, 3), keepdim=True))
        return self.conv1x1(torch.cat([by_place, by_channel], dim=1)) + x


def _convolution(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
