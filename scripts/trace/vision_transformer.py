"""The Vision Transformer that is trained to trace (Supplement 16), and its tracer."""

from collections.abc import Mapping

import torch
from timm.models import vision_transformer

from scripts.common.errors import UserError
from scripts.common.weight_files import weights_file
from scripts.models.devices import pick_device
from scripts.models.weights import load_exactly, read_tensors, rename_keys
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.torch_tracer import TorchTracer

ARCHITECTURES = {
    "vit_base_patch16_224": {"patch": 16, "width": 768, "depth": 12, "heads": 12},
    # For a demo on a CPU: a few hundred steps from random weights cannot teach a class token where
    # things are, so its embedding is all patches' tokens.
    "vit_tiny_patch16_64": {
        "patch": 16,
        "width": 64,
        "depth": 3,
        "heads": 2,
        "pooling": "patches",
    },
}
"""Networks by name; the first is ViT-Base (and DeiT-Base)."""


class VisionTransformer(vision_transformer.VisionTransformer):
    """timm's, with stochastic depth that depends on a picture's place in the batch alone.

    timm draws what a block leaves out within the block, in whatever order the pictures come: the
    same weights on one GPU and on several, in parts of a batch, and after a resumption, need a draw
    that is made before.
    """

    def __init__(
        self,
        *,
        image_size: int,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        pooling: str = "token",
        drop_path: float = 0.0,
    ):
        """Build the network with random weights.

        Args:
            image_size: side of the pictures in pixels.
            patch: side of a patch in pixels.
            width: numbers per token.
            depth: number of blocks.
            heads: of the attention.
            pooling: ``token``: the class token, as the paper's; ``patches``: the tokens of all
                patches, one after the other.
            drop_path: share of the residuals of the last block that training leaves out; it rises
                to this from 0 at the first (stochastic depth).
        """
        super().__init__(
            image_size, patch, embed_dim=width, depth=depth, num_heads=heads, num_classes=0
        )
        self._pooling = pooling
        self._drop_rates = [drop_path * number / max(depth - 1, 1) for number in range(depth)]

    def forward(self, pixels: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        """Return one vector for each picture.

        Args:
            pixels: normalised, of shape (batch, 3, side, side).
            kept: from ``draw_kept``, for training; by default nothing is left out.
        """
        if kept is None:
            tokens = self.forward_features(pixels)
        else:
            tokens = self._pos_embed(self.patch_embed(pixels))
            for block, factors in zip(self.blocks, kept[..., None, None].unbind(1), strict=True):
                tokens = tokens + block.attn(block.norm1(tokens)) * factors[:, 0]
                tokens = tokens + block.mlp(block.norm2(tokens)) * factors[:, 1]
            tokens = self.norm(tokens)
        return tokens[:, 0] if self._pooling == "token" else tokens[:, 1:].flatten(1)

    def draw_kept(self, pictures: int, generator: torch.Generator) -> torch.Tensor | None:
        """Draw which residuals a training step keeps of each picture (stochastic depth).

        It is drawn apart from ``forward`` so that a picture's draw depends on its place in the
        batch alone, not on which device takes it, nor on how many pictures that takes at once.

        Args:
            pictures: in the whole batch.
            generator: of the draw; on the CPU, so that a GPU draws the same.

        Returns:
            Factors of the residuals of shape (pictures, blocks, 2): 0, or what makes up for the
            others; None if nothing is ever left out.
        """
        if not any(self._drop_rates):
            return None
        rates = torch.tensor(self._drop_rates).unsqueeze(1)
        drawn = torch.rand(pictures, len(rates), 2, generator=generator)
        return (drawn >= rates) / (1 - rates)


def build_vision_transformer(
    model: str, image_size: int, *, drop_path: float = 0.0, weights: Mapping[str, str] | None = None
) -> VisionTransformer:
    """Return a network of ``ARCHITECTURES``, with weights if any are given.

    Args:
        model: its name.
        image_size: side of the pictures in pixels.
        drop_path: see ``VisionTransformer``.
        weights: of timm's network of the same shape; its classifier is left out.

    Raises:
        UserError: there is no such architecture, or the weights are missing or do not fit.
    """
    if model not in ARCHITECTURES:
        raise UserError(
            f"config/tracers.yaml: 'model' is {model!r}; it may be one of: "
            f"{', '.join(ARCHITECTURES)}"
        )
    network = VisionTransformer(image_size=image_size, drop_path=drop_path, **ARCHITECTURES[model])
    if weights:
        path = weights_file(weights, "model.safetensors")
        load_exactly(network, rename_keys(read_tensors(path), drop=[r"head\."]), path)
    return network


class VisionTransformerTracer(TorchTracer):
    """Describes pictures by a Vision Transformer of this module; a Tracer."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        model: str,
        dimension: int,
        image_size: int = 224,
        interpolation: str = "bicubic",
        normalisation: str = "imagenet",
        batch_size: int = 64,
        precision: str = "float32",
    ):
        """Build the network; for the other arguments see ``TorchTracer`` and ``Preprocessing``.

        Args:
            weights: as ``build_vision_transformer``.
            device: ``cpu``, ``cuda`` or ``auto``.
            model: a name in ``ARCHITECTURES``.
            dimension: numbers that describe a picture.
            image_size: side to which pictures are squeezed.
            interpolation: of the resizing.
            normalisation: of the channels.
            batch_size: pictures per forward pass.
            precision: of the forward pass.
        """
        network = build_vision_transformer(model, image_size, weights=weights)
        super().__init__(
            network.eval().to(pick_device(device)),
            Preprocessing(image_size, interpolation=interpolation, normalisation=normalisation),
            name=model,
            dimension=dimension,
            device=device,
            batch_size=batch_size,
            precision=precision,
        )
