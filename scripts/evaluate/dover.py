"""DOVER: technical and aesthetic quality of a video, fused (Wu et al., ICCV 2023).

The technical branch sees pieces at their own size, by a Video Swin Transformer that knows which
tokens are of one piece; the aesthetic branch sees all of a few frames, by ConvNeXt with time.
Weights are those that its authors publish (``DOVER.pth``), under their names.
"""

import itertools
import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchvision.models.video import swin_transformer as swin

from scripts.common.roles import EvaluationItem
from scripts.common.weight_files import weights_file
from scripts.models.devices import pick_device
from scripts.models.pixels import IMAGENET, normalise
from scripts.models.weights import State, load_exactly, read_tensors, rename_keys

PIECES, PIECE = 7, 32
"""Pieces in a row and in a column, and the side of each in pixels."""
SIDE = PIECES * PIECE
CLIPS, CLIP_FRAMES, INTERVAL = 3, 32, 2
"""Clips of the technical branch, frames of a clip (of either branch), and frames between them."""
WINDOW = (8, 7, 7)
# Where torchvision calls a tensor of the Video Swin Transformer otherwise than the checkpoint.
_SWIN_KEYS = [
    *[(rf"layers\.{n}\.blocks\.(\d+)\.mlp\.fc1", rf"features.{2 * n}.\1.mlp.0") for n in range(4)],
    *[(rf"layers\.{n}\.blocks\.(\d+)\.mlp\.fc2", rf"features.{2 * n}.\1.mlp.3") for n in range(4)],
    *[(rf"layers\.{n}\.blocks", f"features.{2 * n}") for n in range(4)],
    *[(rf"layers\.{n}\.downsample", f"features.{2 * n + 1}") for n in range(3)],
    ("", ""),
]


class Dover:
    """The fused quality of a video, in [0, 1]."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        width: int = 96,
        seed: int = 42,
    ):
        """Load both branches.

        Args:
            weights: ``{path}`` or ``{hub, revision, file}`` of DOVER's state.
            device: ``cpu``, ``cuda`` or ``auto``.
            width: channels of the first stage of both branches.
            seed: of the pieces' places, which the reference draws anew each time; the same for
                all videos here, so that a score depends on its video alone.

        Raises:
            UserError: the weights are missing or those of another network.
        """
        path = weights_file(weights)
        state = read_tensors(path)
        self._device = pick_device(device)
        self._technical = technical_branch(width)
        self._aesthetic = AestheticBranch(width)
        heads = {name: _head(8 * width) for name in ("technical", "aesthetic")}
        self._heads = nn.ModuleDict(heads)
        load_exactly(self._technical, _swin_state(state, self._technical), path)
        load_exactly(self._aesthetic, _part(state, "aesthetic_backbone"), path)
        for name, head in heads.items():
            load_exactly(head, _part(state, f"{name}_head"), path)
        for network in (self._technical, self._aesthetic, self._heads):
            network.eval().to(self._device)
        self._seed = seed

    def score(self, item: EvaluationItem) -> float:
        """Return the fused quality of a video; a short one is read again from its start."""
        return fuse(*self.branches(item.frames))

    def branches(self, frames: np.ndarray) -> tuple[float, float]:
        """Return technical and aesthetic quality of uint8 RGB (frames, height, width, 3)."""
        draw = torch.Generator().manual_seed(self._seed)
        sampled = _frames(frames, technical_frames(len(frames), draw))
        clips = normalise(pieces_of(sampled, draw), IMAGENET)
        clips = clips.unflatten(0, (CLIPS, CLIP_FRAMES)).transpose(1, 2)
        whole = _frames(frames, aesthetic_frames(len(frames), draw))
        # Without antialiasing and rounded: what torchvision did with uint8 at the pinned version.
        whole = functional.interpolate(whole, (SIDE, SIDE), mode="bilinear", align_corners=False)
        whole = normalise(whole.round(), IMAGENET).transpose(0, 1)[None]
        with torch.inference_mode():
            maps = [self._run("technical", self._technical, clip[None]) for clip in clips]
            aesthetic = self._run("aesthetic", self._aesthetic, whole)
        return float(np.mean([float(each.mean()) for each in maps])), float(aesthetic.mean())

    def _run(self, name: str, network: nn.Module, clip: torch.Tensor) -> torch.Tensor:
        head = self._heads[name]
        return head["fc_last"](functional.gelu(head["fc_hid"](network(clip.to(self._device)))))


def fuse(technical: float, aesthetic: float) -> float:
    """Return the overall quality in [0, 1], by the constants that DOVER's authors give."""
    x = 0.6104 * (technical - 0.1107) / 0.07355 + 0.3896 * (aesthetic + 0.08285) / 0.03774
    return 1 / (1 + math.exp(-x))


def sampled_frames(frames: int, parts: int, length: int, draw: torch.Generator) -> list[int]:
    """Return the frames of each part of a video, one part after the other.

    Args:
        frames: of the video; what lies behind its end is taken from its start.
        parts: into which the video is cut.
        length: frames taken of each, every second one, from a drawn start where a part is longer.
        draw: where they start.
    """
    room = frames // parts - length * INTERVAL
    starts = [part * (frames // parts) for part in range(parts)]
    if room > 0:
        drawn = torch.randint(room, (parts,), generator=draw).tolist()
        starts = [start + offset for start, offset in zip(starts, drawn, strict=True)]
    return [(start + INTERVAL * n) % frames for start in starts for n in range(length)]


def technical_frames(frames: int, draw: torch.Generator) -> list[int]:
    """Return the frames of the technical branch's three clips."""
    return sampled_frames(frames, CLIPS, CLIP_FRAMES, draw)


def aesthetic_frames(frames: int, draw: torch.Generator) -> list[int]:
    """Return the frames of the aesthetic branch: below 32 frames it sees 32 times the first."""
    return sampled_frames(frames, CLIP_FRAMES, 1, draw)


def pieces_of(frames: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Put 7 x 7 pieces of 32 pixels together, one from a drawn place in each cell of the picture.

    Args:
        frames: float32 (frames, 3, height, width), 0..255, a multiple of 32 frames. Pictures that
            are too small are enlarged first; the places are those of the picture before, as in
            the reference, which so leaves out what lies at the right and the bottom.
        draw: the places, which are the same for the 32 frames of a clip.

    Returns:
        float32 of shape (frames, 3, 224, 224).
    """
    sides = frames.shape[-2:]
    ratio = min(sides) / SIDE
    if ratio < 1:
        frames = functional.interpolate(
            frames / 255, scale_factor=1 / ratio, mode="bilinear", align_corners=False
        )
        frames = (frames * 255).trunc()
    clips = len(frames) // CLIP_FRAMES
    offsets = []
    for side in sides:
        room = side // PIECES - PIECE
        shape = (PIECES, PIECES, clips)
        drawn = torch.randint(max(room, 1), shape, generator=draw) if room > 0 else 0
        offsets.append(torch.zeros(shape, dtype=torch.int64) + drawn)
    tops, lefts = ([min(side // PIECES * n, side - PIECE) for n in range(PIECES)] for side in sides)
    result = torch.empty(*frames.shape[:2], SIDE, SIDE)
    for clip in range(clips):
        own = slice(clip * CLIP_FRAMES, (clip + 1) * CLIP_FRAMES)
        for row in range(PIECES):
            for column in range(PIECES):
                top = tops[row] + int(offsets[0][row, column, clip])
                left = lefts[column] + int(offsets[1][row, column, clip])
                piece = frames[own, :, top : top + PIECE, left : left + PIECE]
                place = slice(row * PIECE, (row + 1) * PIECE)
                result[own, :, place, column * PIECE : (column + 1) * PIECE] = piece
    return result


class _PieceAttention(swin.ShiftedWindowAttention3d):
    """Attention in windows, whose bias within a piece is another than between pieces.

    The reference weighs the two tables by the distance of the pieces in all, which may be 2: more
    than the gate of 0 or 1 in the paper. The weights were trained so.
    """

    def define_relative_position_bias_table(self) -> None:
        super().define_relative_position_bias_table()
        self.fragment_position_bias_table = nn.Parameter(
            torch.zeros_like(self.relative_position_bias_table)
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        between, within = (
            table[self.relative_position_index].permute(2, 0, 1)
            for table in (self.relative_position_bias_table, self.fragment_position_bias_table)
        )
        gate = piece_distances(tokens.shape[1:4], self.shift_size).to(tokens)[:, None]
        bias = between * gate + within * (1 - gate)
        return swin.shifted_window_attention_3d(
            tokens,
            self.qkv.weight,
            self.proj.weight,
            bias.repeat(len(tokens), 1, 1, 1),
            list(WINDOW),
            self.num_heads,
            shift_size=self.shift_size,
            qkv_bias=self.qkv.bias,
            proj_bias=self.proj.bias,
            training=False,
        )


def piece_distances(size: tuple[int, int, int], shift: list[int]) -> torch.Tensor:
    """Return how many pieces lie between two tokens of a window, float32 (windows, 392, 392).

    Args:
        size: tokens in time, height and width; multiples of the window's.
        shift: of the windows.
    """
    rows, columns = torch.meshgrid(
        *(torch.arange(side) * PIECES // side for side in size[1:]), indexing="ij"
    )
    places = torch.stack([rows, columns], dim=-1).expand(size[0], -1, -1, -1)
    places = places.roll([-step for step in shift], dims=(0, 1, 2))
    for axis, side in enumerate(WINDOW):
        places = places.unflatten(2 * axis, (-1, side))
    windows = places.permute(0, 2, 4, 1, 3, 5, 6).reshape(-1, math.prod(WINDOW), 2)
    return (windows[:, None] - windows[:, :, None]).abs().sum(-1).float()


def technical_branch(width: int = 96) -> nn.Module:
    """Return Video Swin-T with DOVER's attention in all stages but the last.

    It takes float32 (clips, 3, 32, 224, 224) and gives a map (clips, 8 * width, 16, 7, 7).
    """

    def block(dim: int, heads: int, *, attn_layer: type, **settings) -> nn.Module:
        attention = attn_layer if dim == 8 * width else _PieceAttention
        return swin.SwinTransformerBlock(dim, heads, attn_layer=attention, **settings)

    network = swin.SwinTransformer3d(
        [2, 4, 4], width, [2, 2, 6, 2], [3, 6, 12, 24], list(WINDOW), block=block
    )
    network.avgpool, network.head = nn.Identity(), nn.Identity()
    network.forward = lambda clip: network.norm(
        network.features(network.patch_embed(clip))
    ).permute(0, 4, 1, 2, 3)
    return network


class _AestheticBlock(nn.Module):
    def __init__(self, width: int, frames: int):
        super().__init__()
        self.dwconv = nn.Conv3d(
            width, width, (frames, 7, 7), padding=(frames // 2, 3, 3), groups=width
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        inner = self.norm(self.dwconv(pixels).movedim(1, -1))
        inner = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(inner)))
        return pixels + inner.movedim(-1, 1)


class _ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of (clips, channels, frames, height, width)."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return super().forward(pixels.movedim(1, -1)).movedim(-1, 1)


class AestheticBranch(nn.Module):
    """ConvNeXt-T with time: every second of three blocks looks at three frames.

    It takes float32 (clips, 3, 32, 224, 224) and gives a map (clips, 8 * width, 16, 7, 7).
    """

    def __init__(self, width: int = 96):
        super().__init__()
        widths = [width * 2**stage for stage in range(4)]
        steps = [
            nn.Sequential(nn.Conv3d(3, width, (2, 4, 4), (2, 4, 4)), _ChannelNorm(width, eps=1e-6))
        ]
        for before, after in itertools.pairwise(widths):
            halving = nn.Conv3d(before, after, (1, 2, 2), (1, 2, 2))
            steps.append(nn.Sequential(_ChannelNorm(before, eps=1e-6), halving))
        self.downsample_layers = nn.ModuleList(steps)
        self.stages = nn.ModuleList(
            nn.Sequential(*(_AestheticBlock(width, (1, 3, 1)[n % 3]) for n in range(depth)))
            for width, depth in zip(widths, (3, 3, 9, 3), strict=True)
        )
        self.norm = _ChannelNorm(widths[-1], eps=1e-6)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        for step, stage in zip(self.downsample_layers, self.stages, strict=True):
            clip = stage(step(clip))
        return self.norm(clip)


def _head(width: int) -> nn.ModuleDict:
    return nn.ModuleDict({"fc_hid": nn.Conv3d(width, 64, 1), "fc_last": nn.Conv3d(64, 1, 1)})


def _part(state: State, name: str) -> State:
    return rename_keys(state, [(rf"{name}\.", "")])


def _swin_state(state: State, network: nn.Module) -> State:
    """Return the technical branch's tensors as torchvision calls them; its indexes are no weights."""
    indexes = {key: value for key, value in network.named_buffers() if key.endswith("_index")}
    own = rename_keys(
        _part(state, "technical_backbone"), _SWIN_KEYS, [r".*relative_position_index"]
    )
    return own | indexes


def _frames(frames: np.ndarray, wanted: list[int]) -> torch.Tensor:
    return torch.from_numpy(frames[wanted]).permute(0, 3, 1, 2).float()
