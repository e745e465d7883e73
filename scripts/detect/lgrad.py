"""LGrad: a ResNet-50 on the gradient of a discriminator's output by the picture."""

from collections.abc import Mapping, Sequence
from math import log2, sqrt
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torchvision.transforms import functional as transforms

from scripts.detect.picture_classifier import ResNetClassifier
from scripts.models.pixels import HALF
from scripts.models.weights import load_exactly, read_tensors


class LGrad(ResNetClassifier):
    """LGrad (Tan et al., Learning on gradients: generalized artifacts representation, 2023).

    As in the harness of Table 3, quirks included, since the classifier was trained on them: the
    gradient of StyleGAN's discriminator of bedrooms is scaled to 0..255 by its own smallest and
    largest value in all channels together, and is saved as a picture by OpenCV, which takes it for
    BGR: its channels come back in the opposite order. The authors' own script turns them before
    (gen_imggrad.py of https://github.com/chuangchuangtan/LGrad), and tests what it saved whole.
    """

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        classifier: str = "LGrad.pth",
        discriminator: str = "karras2019stylegan-bedrooms-256x256_discriminator.pth",
        resolution: int = 256,
        widest: int = 512,
        turned: bool = True,
        **settings: Any,
    ):
        """Load both files in the folder ``weights['path']``.

        Args:
            weights: the folder.
            classifier: its file with the ResNet-50.
            discriminator: its file with the discriminator, in the layout of genforce.
            resolution: side of the picture that the discriminator takes, in pixels.
            widest: channels of its widest layers.
            turned: whether the gradient's channels come back in the opposite order.
            settings: ``resize`` and ``crop`` of what is made of a picture, and ``device``.

        Raises:
            UserError: a file is missing or does not fit.
        """
        super().__init__(weights, classifier=classifier, **settings)
        source, path = StyleGanDiscriminator(resolution, widest), self._folder / discriminator
        load_exactly(source, read_tensors(path), path)
        self._discriminator = source.eval().requires_grad_(False).to(self._device)
        self._size, self._order = [resolution, resolution], -1 if turned else 1

    def seen(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the pictures' gradients as pictures."""
        pictures = [transforms.resize(Image.fromarray(image), self._size) for image in images]
        pixels = torch.stack([transforms.to_tensor(picture) for picture in pictures])
        pixels = transforms.normalize(pixels, *HALF).to(self._device)
        with torch.inference_mode(False), torch.enable_grad():
            pixels = pixels.clone().requires_grad_()
            (gradients,) = torch.autograd.grad(self._discriminator(pixels).sum(), pixels)
        saved = [_as_saved(gradient.permute(1, 2, 0).cpu().numpy()) for gradient in gradients]
        return [np.ascontiguousarray(picture[:, :, :: self._order]) for picture in saved]


def _as_saved(gradient: np.ndarray) -> np.ndarray:
    gradient = gradient - gradient.min()
    largest = gradient.max()
    scaled = gradient / (largest if largest else 1) * 255
    return np.rint(scaled).astype(np.uint8)


class StyleGanDiscriminator(nn.Module):
    """StyleGAN's discriminator at its full resolution (Karras et al., 2019).

    Its layers are called as in genforce, the port to PyTorch whose weights the harness has. From
    128 pixels on, halving is part of a convolution; below it is a mean of four. The standard
    deviation over the batch, a channel before the last convolution, is that of one picture alone,
    sqrt(1e-8), since the harness shows one at a time.
    """

    def __init__(self, resolution: int, widest: int):
        """Build it for pictures with a side of ``resolution`` pixels."""
        super().__init__()
        self.register_buffer("lod", torch.zeros(()))
        self._blocks = int(log2(resolution)) - 1
        for block in range(self._blocks):
            side = resolution >> block
            here, after = (min(2**14 // each, widest) for each in (side, side // 2))
            self.add_module(f"input{block}", _Convolution(3, here, 1))
            if side > 4:
                self.add_module(f"layer{2 * block}", _Convolution(here, here, 3))
                halving = "fused" if side >= 128 else "mean"
                self.add_module(f"layer{2 * block + 1}", _Convolution(here, after, 3, halving))
        self.add_module(f"layer{2 * block}", _Convolution(here + 1, here, 3))
        self.add_module(f"layer{2 * block + 1}", _Dense(here * 16, after, gain=2))
        self.add_module(f"layer{2 * block + 2}", _Dense(after, 1, gain=1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (pictures, 1) of (pictures, 3, resolution, resolution) in [-1, 1]."""
        x = self.get_submodule("input0")(pixels)
        for number in range(2 * self._blocks - 2):
            x = self.get_submodule(f"layer{number}")(x)
        x = torch.cat([x, torch.full_like(x[:, :1], 1e-4)], dim=1)
        convolution, dense, last = (
            self.get_submodule(f"layer{2 * self._blocks + number}") for number in (-2, -1, 0)
        )
        return last(functional.leaky_relu(dense(convolution(x).flatten(1)), 0.2))


class _Convolution(nn.Module):
    """A convolution whose weights are scaled as it runs, perhaps after a blur and with halving."""

    def __init__(self, inputs: int, outputs: int, size: int, halving: str = ""):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self._scale, self._halving = sqrt(2 / (inputs * size**2)), halving
        if halving:
            self.blur = nn.Module()
            self.blur.register_buffer("kernel", torch.zeros(inputs, 1, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, stride = self.weight * self._scale, 1
        if self._halving:
            x = functional.conv2d(x, self.blur.kernel, padding=1, groups=x.shape[1])
        if self._halving == "fused":
            stride, weight = 2, functional.pad(weight, (1, 1, 1, 1))
            weight = functional.avg_pool2d(weight, 2, stride=1)
        padding = self.weight.shape[2] // 2
        x = functional.conv2d(x, weight, self.bias, stride=stride, padding=padding)
        if self._halving == "mean":
            x = functional.avg_pool2d(x, 2)
        return functional.leaky_relu(x, 0.2)


class _Dense(nn.Module):
    """A linear layer whose weights are scaled as it runs."""

    def __init__(self, inputs: int, outputs: int, *, gain: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self._scale = sqrt(gain / inputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.weight * self._scale, self.bias)
