"""NPR and SAFE: the first half of a ResNet-50 on what neighbouring pixels do not share."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import resnet50

from scripts.detect.picture_classifier import PictureClassifier
from scripts.models.pixels import NONE
from scripts.models.weights import load_exactly, read_tensors


class Npr(PictureClassifier):
    """NPR (Tan et al., Rethinking the up-sampling operations in CNN-based generative network for
    generalizable deepfake detection, 2024).

    The network sees how far each pixel is from the first one of its square of four, times 2/3.
    """

    def __init__(self, weights: Mapping[str, str], **settings: Any):
        """Load the state dict at ``weights['path']``; the rest as ``PictureClassifier``."""
        path = weights["path"]
        trunk = truncated_resnet(1)
        load_exactly(trunk, read_tensors(path), path)
        super().__init__(nn.Sequential(FromFirst(), trunk), **settings)


class FromFirst(nn.Module):
    """How far pixels are from the first of their square; an odd last row or column is left out."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return float32 of shape (pictures, 3, height, width), sides even."""
        height, width = (side // 2 * 2 for side in pixels.shape[2:])
        pixels = pixels[:, :, :height, :width]
        first = pixels[:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3)
        return (pixels - first) * 2.0 / 3.0


class Safe(PictureClassifier):
    """SAFE (Li et al., Improving synthetic image detection towards generalization, 2025).

    The network sees the diagonal detail of the wavelet bior1.3, blown up to the picture's size.
    """

    normalisation = NONE

    def __init__(self, weights: Mapping[str, str], **settings: Any):
        """Load the checkpoint at ``weights['path']`` (key 'model'); the rest as the base class."""
        path = weights["path"]
        trunk = truncated_resnet(2)
        load_exactly(trunk, read_tensors(path, "model"), path)
        super().__init__(nn.Sequential(DiagonalDetail(), trunk, _Difference()), **settings)


class DiagonalDetail(nn.Module):
    """The diagonal detail of a picture's wavelet transform, bior1.3, mirrored at the edges.

    Its high-pass filter is that of Haar between zeros: what is left is a difference within squares
    of four, those of the edges, two pixels wide, mirrored.
    """

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return float32 of the shape of the pictures, (pictures, 3, height, width), sides even."""
        x = pixels
        for axis in (2, 3):
            first, last = x.narrow(axis, 0, 2), x.narrow(axis, x.shape[axis] - 2, 2)
            x = torch.cat([first.flip(axis), x, last.flip(axis)], dim=axis)
        detail = x[..., ::2, ::2] - x[..., ::2, 1::2] - x[..., 1::2, ::2] + x[..., 1::2, 1::2]
        return functional.interpolate(
            detail / 2, pixels.shape[2:], mode="bilinear", align_corners=False, antialias=True
        )


class _Difference(nn.Module):
    """The logit of the second of two classes, of the logits of both."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits[:, 1:] - logits[:, :1]


def truncated_resnet(outputs: int) -> nn.Sequential:
    """Return the first two stages of a ResNet-50, with a first convolution of 3 x 3."""
    network = resnet50()
    network.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "avgpool")
    parts = OrderedDict((name, getattr(network, name)) for name in names)
    return nn.Sequential(parts | {"flatten": nn.Flatten(), "fc1": nn.Linear(512, outputs)})
