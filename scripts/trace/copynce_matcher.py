"""CopyNCE's matcher: how likely one picture is a copy of another, from both seen at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from timm.models.vision_transformer import Block
from torch import nn

from scripts.common.weight_files import weights_file
from scripts.models.devices import mixed_precision, pick_device
from scripts.models.weights import cut_prefix, load_exactly, read_tensors, rename_keys
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.timm_tracer import build_network, set_norm_epsilon
from scripts.trace.torch_tracer import is_stand_in, seeded

_STATE = "model"
_NAMES = [[r"(encoder|fusion)\.", r"\g<1>."], [r"heads\.cls_head\.", "head."]]
"""What decides a score; the checkpoint has a head besides that only its training loss needs."""

Square = np.ndarray


class CopyNceMatcher:
    """Scores pairs of pictures; a Matcher.

    The method is that of Lu et al., ICCV 2025 (https://github.com/eddielyc/CopyNCE, core/models):
    the tokens of each picture, by a Vision Transformer without a last norm, go together through
    further blocks, behind a class token of their own. Nothing says which of them are of which
    picture, so that a pair may be turned round.
    """

    precision = "float32"

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        model: str,
        depth: int,
        fused_depth: int,
        norm_epsilon: float,
        model_arguments: Mapping[str, Any] | None = None,
        seed: int | None = None,
        batch_size: int = 64,
        precision: str = "float32",
        **shaping: int | str | None,
    ):
        """Build the network, and load its weights.

        Args:
            weights: a file in its authors' layout; none where there is a ``seed``.
            device: ``cpu``, ``cuda`` or ``auto``.
            model: timm's name of the network that sees one picture.
            depth: its blocks.
            fused_depth: blocks that see both pictures.
            norm_epsilon: of all layer norms.
            model_arguments: of ``timm.create_model``, such as ``img_size``.
            seed: of random weights, for a stand-in.
            batch_size: pictures, and pairs, per forward pass.
            precision: of the forward pass on a GPU (``mixed_precision``).
            shaping: of the pictures (``Preprocessing``).

        Raises:
            UserError: timm has no such model, or the weights are missing or do not fit,
                or there is a seed, too.
        """
        arguments = {"depth": depth, "final_norm": False, **(model_arguments or {})}
        with seeded(seed or 0):
            network = _Pair(build_network(model, arguments), fused_depth)
        if not is_stand_in(weights, seed):
            path = weights_file(weights)
            tensors = cut_prefix(read_tensors(path, _STATE), r"module\.")
            load_exactly(network, rename_keys(tensors, _NAMES), path)
        set_norm_epsilon(network, norm_epsilon)
        self.precision, self._shape = precision, Preprocessing(**shaping)
        self._device, self._batch_size = pick_device(device), batch_size
        mixed_precision(self._device, precision)  # refuses an unknown one before any work
        self._network = network.eval().to(self._device)

    def prepare(self, image: np.ndarray) -> Square:
        """Return a picture (uint8 RGB) as the network's square."""
        return self._shape.to_square(image)

    def match(self, pairs: Sequence[tuple[Square, Square]]) -> np.ndarray:
        """Return the probability of a copy, float32 of shape (pairs,), of prepared pictures.

        A square that is in several pairs is looked at once.
        """
        squares = {id(square): square for pair in pairs for square in pair}
        places = {key: number for number, key in enumerate(squares)}
        left, right = ([places[id(pair[side])] for pair in pairs] for side in (0, 1))
        with torch.inference_mode(), mixed_precision(self._device, self.precision):
            tokens = torch.cat([self._encode(some) for some in self._batches([*squares.values()])])
            logits = [
                self._network.fuse(tokens[one], tokens[other])
                for one, other in zip(self._batches(left), self._batches(right), strict=True)
            ]
        return torch.sigmoid(torch.cat(logits).float()).cpu().numpy()

    def _batches(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        size = self._batch_size
        return [items[start : start + size] for start in range(0, len(items), size)]

    def _encode(self, squares: Sequence[Square]) -> torch.Tensor:
        pixels = torch.from_numpy(np.stack(squares)).to(self._device).permute(0, 3, 1, 2)
        return self._network.encoder.forward_features(self._shape.normalise(pixels))


class _Pair(nn.Module):
    """A network for one picture's tokens, blocks for those of two, and a head."""

    def __init__(self, encoder: nn.Module, fused_depth: int):
        super().__init__()
        width = encoder.embed_dim
        self.encoder, self.fusion, self.head = encoder, nn.Module(), nn.Module()
        heads = encoder.blocks[0].attn.num_heads
        self.fusion.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.fusion.blocks = nn.Sequential(
            *(Block(width, heads, qkv_bias=True) for _ in range(fused_depth))
        )
        self.fusion.norm, self.head.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.head.classifier = nn.Linear(width, 1)

    def fuse(self, queries: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        """Return logits, (pairs,), of two times (pairs, tokens, width)."""
        first = self.fusion.cls_token.expand(len(queries), -1, -1)
        tokens = self.fusion.blocks(torch.cat([first, queries, references], dim=1))
        # Normalised twice: the blocks and the head each end, and begin, with a norm of their own.
        return self.head.classifier(self.head.norm(self.fusion.norm(tokens[:, 0]))).flatten()
