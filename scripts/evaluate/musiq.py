"""Imaging quality with MUSIQ trained on SPAQ (VBench; Ke et al., ICCV 2021).

The modules have the names of the published checkpoint's tensors (``musiq_spaq_ckpt-358bb6af.pth``).
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from timm.layers import pad_same
from torch import nn
from torch.nn import functional

from scripts.common.roles import EvaluationItem
from scripts.common.weight_files import weights_file
from scripts.models.devices import pick_device
from scripts.models.weights import load_exactly, read_tensors

PATCH = 32
SQUARE = (PATCH, PATCH)
GRID = 10
"""Positions in a row and in a column, whatever the picture's size."""
SCALES = (224, 384)
"""The longer sides, in pixels, at which a picture is seen beside its own."""
LONGEST_SIDE = 512
"""VBench reduces frames to it (mode ``longer``)."""


class ImagingQuality:
    """The mean of MUSIQ's scores of all frames, as a share of its 100 points."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        batch_size: int = 8,
        width: int = 384,
        layers: int = 14,
    ):
        """Load the network.

        Args:
            weights: ``{path}`` or ``{hub, revision, file}`` of MUSIQ's state.
            device: ``cpu``, ``cuda`` or ``auto``.
            batch_size: frames per forward pass; it changes no score.
            width: of the tokens; a multiple of 6, the number of heads.
            layers: blocks of attention.

        Raises:
            UserError: the weights are missing or those of another network.
        """
        path = weights_file(weights)
        network = Musiq(width, layers)
        load_exactly(network, read_tensors(path), path)
        self._device = pick_device(device)
        self._network = network.eval().to(self._device)
        self._batch_size = batch_size

    def score(self, item: EvaluationItem) -> float:
        """Return the mean quality of all frames; 0 to 1 for what people rated."""
        scores = []
        for start in range(0, len(item.frames), self._batch_size):
            frames = np.ascontiguousarray(item.frames[start : start + self._batch_size])
            pixels = shrink(torch.from_numpy(frames).permute(0, 3, 1, 2).float())
            with torch.inference_mode():
                scores += self._network((pixels / 255).to(self._device)).tolist()
        return float(np.mean(scores)) / 100


def shrink(pixels: torch.Tensor) -> torch.Tensor:
    """Bring the longer side of (frames, 3, height, width) to at most 512, without antialiasing."""
    height, width = pixels.shape[-2:]
    if max(height, width) <= LONGEST_SIDE:
        return pixels
    scale = LONGEST_SIDE / max(height, width)
    size = int(scale * height), int(scale * width)
    return functional.interpolate(pixels, size=size, mode="bilinear", align_corners=False)


def grid_positions(rows: int, columns: int) -> torch.Tensor:
    """Return the position in the 10 x 10 grid of each patch, row by row, int64 (patches,)."""

    def nearest(count: int) -> torch.Tensor:
        grid = torch.arange(GRID, dtype=torch.float32).view(1, 1, GRID)
        return functional.interpolate(grid, count, mode="nearest").view(-1).long()

    return (nearest(rows)[:, None] * GRID + nearest(columns)[None]).view(-1)


class _StandardisedConv(nn.Conv2d):
    """A convolution without bias whose kernels have mean 0 and deviation 1, padded as ``SAME``."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        pixels = pad_same(pixels, self.kernel_size, self.stride)  # what is odd goes to the end
        kernels = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        kernels = kernels / (kernels.std((1, 2, 3), keepdim=True) + 1e-5)
        return functional.conv2d(pixels, kernels, stride=self.stride)


class _Bottleneck(nn.Module):
    """The one residual block before the tokens."""

    def __init__(self, width: int, outputs: int):
        super().__init__()
        self.conv1, self.gn1 = _StandardisedConv(width, width, 1), _norm(width)
        self.conv2, self.gn2 = _StandardisedConv(width, width, 3), _norm(width)
        self.conv3, self.gn3 = _StandardisedConv(width, outputs, 1), _norm(outputs)
        self.conv_proj, self.gn_proj = _StandardisedConv(width, outputs, 1), _norm(outputs)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.gn1(self.conv1(pixels)))
        inner = functional.relu(self.gn2(self.conv2(inner)))
        return functional.relu(self.gn3(self.conv3(inner)) + self.gn_proj(self.conv_proj(pixels)))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, width, eps=1e-4)


class _Block(nn.Module):
    """A block of attention with 6 heads, and a perceptron three times as wide as its tokens."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        names = ("query", "key", "value", "out")
        self.attention = nn.ModuleDict({name: nn.Linear(width, width) for name in names})
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 3 * width), "fc2": nn.Linear(3 * width, width)}
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        normed = self.norm1(tokens)
        heads = [
            self.attention[name](normed).unflatten(-1, (6, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        ]
        mixed = functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        tokens = tokens + self.attention["out"](mixed)
        return tokens + self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm2(tokens))))


class _Encoder(nn.Module):
    def __init__(self, width: int, layers: int):
        super().__init__()
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.posembed_input = nn.ParameterDict({"position_emb": torch.zeros(1, GRID**2, width)})
        self.scaleembed_input = nn.ParameterDict({"scale_emb": torch.zeros(3, width)})
        blocks = {f"encoderblock_{number}": _Block(width) for number in range(layers)}
        self.transformer = nn.ModuleDict(blocks)
        self.encoder_norm = nn.LayerNorm(width, eps=1e-6)

    def forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, scales: torch.Tensor
    ) -> torch.Tensor:
        tokens = tokens + self.posembed_input["position_emb"][0, positions]
        tokens = tokens + self.scaleembed_input["scale_emb"][scales]
        tokens = torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], dim=1)
        for block in self.transformer.values():
            tokens = block(tokens)
        return self.encoder_norm(tokens[:, 0])


class Musiq(nn.Module):
    """MUSIQ: patches of a picture at three scales, read by one transformer.

    The published code fills short sequences with patches that it then masks; here they are left
    out, which changes nothing for the others.
    """

    def __init__(self, width: int = 384, layers: int = 14):
        super().__init__()
        self.conv_root = _StandardisedConv(3, 64, 7, 2)
        self.gn_root = nn.GroupNorm(32, 64, eps=1e-6)
        self.block1 = _Bottleneck(64, 256)
        self.embedding = nn.Linear(256 * (PATCH // 4) ** 2, width)
        self.transformer_encoder = _Encoder(width, layers)
        self.head = nn.Linear(width, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the quality, about 0 to 100, float32 (pictures,).

        Args:
            pictures: float32 (pictures, 3, height, width) in [0, 1].
        """
        pictures = pictures * 2 - 1
        height, width = pictures.shape[-2:]
        tokens, positions, scales = [], [], []
        for scale, side in enumerate((*SCALES, max(height, width))):
            seen = pictures
            if scale < len(SCALES):
                size = [round(one * side / max(height, width)) for one in (height, width)]
                seen = functional.interpolate(
                    pictures, size=size, mode="bicubic", align_corners=False
                )
            rows, columns = (math.ceil(one / PATCH) for one in seen.shape[-2:])
            patches = functional.unfold(pad_same(seen, SQUARE, SQUARE), PATCH, stride=PATCH)
            tokens.append(self._embed(patches.transpose(1, 2)))
            positions.append(grid_positions(rows, columns))
            scales.append(torch.full((rows * columns,), scale))
        where = [torch.cat(each).to(pictures.device) for each in (positions, scales)]
        return self.head(self.transformer_encoder(torch.cat(tokens, dim=1), *where))[:, 0]

    def _embed(self, patches: torch.Tensor) -> torch.Tensor:
        """Return a token of each patch; (pictures, patches, 3 * 32 * 32) in."""
        pixels = patches.reshape(-1, 3, PATCH, PATCH)
        pixels = functional.relu(self.gn_root(self.conv_root(pixels)))
        pixels = self.block1(functional.max_pool2d(pad_same(pixels, (3, 3), (2, 2)), 3, 2))
        # TensorFlow's order, in which the weights were trained: channels last.
        return self.embedding(pixels.permute(0, 2, 3, 1).reshape(*patches.shape[:2], -1))
