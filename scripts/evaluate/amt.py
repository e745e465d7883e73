"""Motion smoothness with the interpolating network AMT-S (VBench; Li et al., CVPR 2023).

The modules have the names of the published checkpoint's tensors (``amt-s.pth``), but for what
torchvision has of RAFT.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchvision.models.optical_flow import raft

from scripts.common.errors import Rejected
from scripts.common.roles import EvaluationItem
from scripts.common.weight_files import weights_file
from scripts.evaluate.frame_interpolation import smoothness
from scripts.evaluate.raft_flow import SMALLEST_SIDE, pad_to_stride
from scripts.models.devices import pick_device
from scripts.models.weights import load_exactly, read_tensors, rename_keys

STRIDE = 16
CHANNELS = (20, 32, 44, 56)
"""Of the features at a half, a quarter, an eighth and a sixteenth of the picture's size."""
RADIUS, LEVELS, FLOWS = 3, 4, 3
"""Reach of a look-up in the correlations, halvings of their size, flows that are merged."""
SIDE_CHANNELS = 20
_RAFT_KEYS = [
    (r"feat_encoder\.conv1\.", "feat_encoder.convnormrelu.0."),
    (r"feat_encoder\.conv2\.", "feat_encoder.conv."),
    (r"feat_encoder\.(layer\d\.\d)\.conv(\d)\.", r"feat_encoder.\1.convnormrelu\2.0."),
    ("", ""),
]
Flows = tuple[torch.Tensor, torch.Tensor]


class MotionSmoothness:
    """VBench's protocol with the middle frame that AMT-S makes, at the video's own size."""

    def __init__(self, weights: Mapping[str, str] | None, device: str = "cpu"):
        """Load the network.

        Args:
            weights: ``{path}`` or ``{hub, revision, file}`` of AMT-S's checkpoint.
            device: ``cpu``, ``cuda`` or ``auto``.

        Raises:
            UserError: the weights are missing or those of another network.
        """
        path = weights_file(weights)
        network = AmtS()
        load_exactly(network, rename_keys(read_tensors(path, "state_dict"), _RAFT_KEYS), path)
        self._device = pick_device(device)
        self._network = network.eval().to(self._device)

    def score(self, item: EvaluationItem) -> float:
        """Return the smoothness of all frames, in [0, 1].

        Raises:
            Rejected: too_few_frames, too_small.
        """
        return smoothness(item.frames, self.interpolate)

    def interpolate(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the frame in the middle of two, uint8 RGB of shape (height, width, 3)."""
        height, width = before.shape[:2]
        pair = torch.from_numpy(np.stack([before, after])).permute(0, 3, 1, 2).float() / 255
        pair = pad_to_stride(pair.to(self._device), STRIDE)
        if min(pair.shape[-2:]) < SMALLEST_SIDE:
            raise Rejected("too_small", f"sides below {SMALLEST_SIDE} pixels")
        with torch.inference_mode():
            middle = self._network(pair[:1], pair[1:])[0]
        top, left = (pair.shape[-2] - height) // 2, (pair.shape[-1] - width) // 2
        middle = middle[:, top : top + height, left : left + width] * 255
        return middle.permute(1, 2, 0).cpu().numpy().clip(0, 255).astype(np.uint8)


class AmtS(nn.Module):
    """AMT-S: two flows are guessed from the smallest features up, each time mended by a look-up
    in the correlations of the two frames; three pairs of flows then warp and merge them."""

    def __init__(self):
        super().__init__()
        half, quarter, eighth, sixteenth = CHANNELS
        # Features at an eighth of the picture's size, in which the frames are compared.
        self.feat_encoder = raft.FeatureEncoder(
            block=raft.BottleneckBlock, layers=(32, 32, 64, 96, 84), norm_layer=nn.InstanceNorm2d
        )
        self.encoder = _Pyramid()
        self.decoder4 = _Decoder(2 * sixteenth + 1, 2 * sixteenth, eighth + 4)
        self.decoder3 = _Decoder(3 * eighth + 4, 3 * eighth, quarter + 4)
        self.decoder2 = _Decoder(3 * quarter + 4, 3 * quarter, half + 4)
        self.decoder1 = _Decoder(3 * half + 4, 3 * half, 8 * FLOWS)
        self.update4, self.update3 = _Update(eighth, 1), _Update(quarter, 2)
        self.update2 = _Update(half, 4)
        self.comb_block = nn.Sequential(
            nn.Conv2d(3 * FLOWS, 6 * FLOWS, 3, padding=1),
            nn.PReLU(6 * FLOWS),
            nn.Conv2d(6 * FLOWS, 3, 3, padding=1),
        )

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """Return the frame in the middle, float32 of the frames' shape, in [0, 1].

        Args:
            before: float32 (frames, 3, height, width) in [0, 1], sides multiples of 16...
            after: ...and the frames after these.
        """
        mean = torch.cat([before, after], dim=2).mean((1, 2, 3), keepdim=True)
        pair = before - mean, after - mean
        look_up = _Correlations(*(self.feat_encoder(each) for each in pair))
        features = list(zip(*(self.encoder(each) for each in pair), strict=True))
        smallest = features.pop()
        middle = torch.full_like(smallest[0][:, :1], 0.5)  # the time of the wanted frame
        guess = self.decoder4(torch.cat([*smallest, middle], dim=1))
        flows, state = (guess[:, :2], guess[:, 2:4]), guess[:, 4:]
        for update, decoder in (
            (self.update4, self.decoder3),
            (self.update3, self.decoder2),
            (self.update2, self.decoder1),
        ):
            state, flows = update(state, flows, look_up)
            warped = [warp(*one) for one in zip(features.pop(), flows, strict=True)]
            guess = decoder(torch.cat([state, *warped, *flows], dim=1))
            if decoder is not self.decoder1:
                more, state = (guess[:, :2], guess[:, 2:4]), guess[:, 4:]
                flows = tuple(a + 2 * resize(b, 2) for a, b in zip(more, flows, strict=True))
        return self._merge(pair, flows, guess, mean).clamp(0, 1)

    def _merge(
        self, pair: Flows, flows: Flows, guess: torch.Tensor, mean: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean of the frames that each pair of flows makes, and what is mended in it."""
        *more, mask, rest = guess.split([2 * FLOWS, 2 * FLOWS, FLOWS, 3 * FLOWS], dim=1)
        warped = []
        for frame, flow, change in zip(pair, flows, more, strict=True):
            flow = change + 2 * resize(flow, 2).repeat(1, FLOWS, 1, 1)
            frames = frame.repeat_interleave(FLOWS, 0)
            warped.append(warp(frames, flow.reshape(-1, 2, *flow.shape[-2:])))
        mask = mask.sigmoid().reshape(-1, 1, *mask.shape[-2:])
        merged = mask * warped[0] + (1 - mask) * warped[1] + mean.repeat_interleave(FLOWS, 0)
        merged = (merged + rest.reshape(merged.shape)).unflatten(0, (-1, FLOWS))
        return merged.mean(1) + self.comb_block(merged.flatten(1, 2))


def resize(pixels: torch.Tensor, scale: float) -> torch.Tensor:
    """Resize (..., height, width) by a factor, bilinear."""
    return functional.interpolate(pixels, scale_factor=scale, mode="bilinear", align_corners=False)


def places_of(flow: torch.Tensor, length: float = 1) -> torch.Tensor:
    """Return where a flow, so many times as long, points to: x and y in pixels, of its shape."""
    return raft.make_coords_grid(len(flow), *flow.shape[-2:], device=flow.device) + length * flow


def warp(pixels: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Return pictures whose pixels are taken from where a flow points, in pixels."""
    last = torch.tensor([pixels.shape[-1] - 1, pixels.shape[-2] - 1]).to(flow)
    places = 2 * places_of(flow).permute(0, 2, 3, 1) / last - 1
    return functional.grid_sample(pixels, places, padding_mode="border", align_corners=True)


class _Correlations:
    """How alike each place of one frame is to each of the other, both ways, at four sizes."""

    def __init__(self, before: torch.Tensor, after: torch.Tensor):
        self._ways = [raft.CorrBlock(num_levels=LEVELS, radius=RADIUS) for _ in range(2)]
        for way, pair in zip(self._ways, ((before, after), (after, before)), strict=True):
            way.build_pyramid(*pair)

    def __call__(self, flows: Flows) -> torch.Tensor:
        """Return what is alike around the places that flows point to.

        Args:
            flows: from the middle to the first and to the second frame; each is turned into one
                from the other frame, of twice its length.
        """
        pairs = zip(self._ways, reversed(flows), strict=True)
        return torch.cat([way.index_pyramid(places_of(flow, 2)) for way, flow in pairs], dim=1)


class _Update(nn.Module):
    """Mends flows and state by a look-up, which works at an eighth of the picture's size."""

    def __init__(self, channels: int, scale: int):
        super().__init__()
        self._scale = scale
        self.convc1 = nn.Conv2d(2 * LEVELS * (2 * RADIUS + 1) ** 2, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, padding=3)
        self.convf2 = nn.Conv2d(40, 20, 3, padding=1)
        self.conv = nn.Conv2d(64 + 20, 68, 3, padding=1)
        self.gru = _two_convolutions(68 + 4 + channels, 76)
        self.feat_head = _two_convolutions(76, channels)
        self.flow_head = _two_convolutions(76, 4)

    def forward(
        self, state: torch.Tensor, flows: Flows, look_up: _Correlations
    ) -> tuple[torch.Tensor, Flows]:
        scale = self._scale
        small = tuple(resize(flow, 1 / scale) / scale for flow in flows) if scale > 1 else flows
        flow = torch.cat(small, dim=1)
        alike = _leaky(self.convc1(look_up(small)))
        seen = _leaky(self.convf2(_leaky(self.convf1(flow))))
        seen = _leaky(self.conv(torch.cat([alike, seen], dim=1)))
        inner = self.gru(
            torch.cat([seen, flow, resize(state, 1 / scale) if scale > 1 else state], dim=1)
        )
        more, change = self.feat_head(inner), self.flow_head(inner)
        if scale > 1:
            more, change = resize(more, scale), scale * resize(change, scale)
        return state + more, (flows[0] + change[:, :2], flows[1] + change[:, 2:])


def _leaky(pixels: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(pixels, 0.1)


def _two_convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, 76, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(76, outputs, 3, padding=1)
    )


class _Pyramid(nn.Module):
    """Features at a half, a quarter, an eighth and a sixteenth of the picture's size."""

    def __init__(self):
        super().__init__()
        for number, (before, after) in enumerate(zip((3, *CHANNELS), CHANNELS, strict=False), 1):
            step = nn.Sequential(_prelu(before, after, 2), _prelu(after, after))
            self.add_module(f"pyramid{number}", step)

    def forward(self, frames: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for step in self.children():
            frames = step(frames)
            found.append(frames)
        return found


def _prelu(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))


class _Decoder(nn.Module):
    """Doubles the size; its last layer gives flows and what the next step starts from."""

    def __init__(self, inputs: int, width: int, outputs: int):
        super().__init__()
        self.convblock = nn.Sequential(
            _prelu(inputs, width), _Residual(width), nn.ConvTranspose2d(width, outputs, 4, 2, 1)
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.convblock(pixels)


class _Residual(nn.Module):
    """Five convolutions, every second of which changes the last 20 channels alone."""

    def __init__(self, width: int):
        super().__init__()
        for number, channels in enumerate((width, SIDE_CHANNELS, width, SIDE_CHANNELS), 1):
            self.add_module(f"conv{number}", _prelu(channels, channels))
        self.conv5, self.prelu = nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        inner = pixels
        for whole, side in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            inner = whole(inner)
            changed = side(inner[:, -SIDE_CHANNELS:])
            inner = torch.cat([inner[:, :-SIDE_CHANNELS], changed], dim=1)
        return self.prelu(pixels + self.conv5(inner))
