"""Tracers by a diffusion model's latents: its frozen autoencoder, and a linear map after it.

Image-to-video models begin from such latents, and ID² (Wang et al., ICML 2025,
https://github.com/WangWenhao0716/ID2) shows that one linear map makes them tell the source of what
a diffusion model made of an image, whichever model it was.
"""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.autoencoders.vae import Encoder
from torch import nn

from scripts.common.weight_files import file_beside, weights_file
from scripts.models.devices import pick_device
from scripts.models.weights import load_exactly, read_tensors, rename_keys
from scripts.trace.torch_tracer import TorchTracer, seeded

LATENT_CHANNELS = 4
STABLE_DIFFUSION = {
    "out_channels": LATENT_CHANNELS,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
}
"""The encoder of Stable Diffusion 1 and 2, whose latents have an eighth of a picture's sides."""

_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_ENCODES = [
    *(
        [rf"(encoder\.mid_block\.attentions\.0\.){old}\.", rf"\g<1>{new}."]
        for old, new in _ATTENTION.items()
    ),
    [r"(encoder|quant_conv)\.", r"\g<1>."],
]
"""What is kept of an autoencoder, and its names in older files."""


class LatentMap(nn.Module):
    """The latents of pictures, and a linear map of them; only the map can learn."""

    def __init__(self, vae: Mapping[str, Any], image_size: int, dimension: int):
        """Build it with random weights, which for the encoder are the same each time.

        Args:
            vae: what differs from ``STABLE_DIFFUSION``, as ``Encoder`` of diffusers takes it.
            image_size: side of the pictures.
            dimension: numbers that the map gives.
        """
        super().__init__()
        shape = STABLE_DIFFUSION | vae
        with seeded(0):
            self.encoder = Encoder(**shape, double_z=True)
            self.quant_conv = nn.Conv2d(2 * LATENT_CHANNELS, 2 * LATENT_CHANNELS, 1)
        self.requires_grad_(False)
        side = image_size // 2 ** (len(shape["block_out_channels"]) - 1)
        self.map = nn.Linear(LATENT_CHANNELS * side**2, dimension, bias=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (batch, dimension) of pixels in [-1, 1].

        Of the latents' distribution the mean is taken, where ID²'s code draws: a picture shall be
        described alike each time.
        """
        with torch.no_grad():
            means = self.quant_conv(self.encoder(pixels)).chunk(2, dim=1)[0]
        return self.map(means.flatten(1))


class LatentTracer(TorchTracer):
    """Describes pictures by a linear map of a diffusion model's latents; a Tracer."""

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        dimension: int,
        image_size: int = 256,
        vae: Mapping[str, Any] | None = None,
        **described: Any,
    ):
        """Build the network, and load its weights.

        Args:
            weights: ``hub`` is the autoencoder's (``trainable``); ``path`` is the map alone as ID²
                publishes it, one tensor (dimension, latents), or all that a training kept.
            device: ``cpu``, ``cuda`` or ``auto``.
            dimension: numbers that the map gives.
            image_size: side of the square that is encoded.
            vae: what differs from Stable Diffusion's encoder (``LatentMap``).
            described: what else ``TorchTracer`` takes.

        Raises:
            UserError: the weights are missing or do not fit.
        """
        settings = {"dimension": dimension, "image_size": image_size, "vae": vae}
        weights = weights or {}
        hub = {key: weights[key] for key in weights if key in ("hub", "revision", "file")}
        with seeded(0):  # a map that nobody has learnt is at least the same each time
            network = self.trainable(hub, settings)
        if "path" in weights:
            path = weights_file(file_beside(weights))
            tensors = read_tensors(path)
            part = network.map if "" in tensors else network
            load_exactly(part, {name or "weight": tensor for name, tensor in tensors.items()}, path)
        super().__init__(
            network.eval().to(pick_device(device)), name="latents", dimension=dimension,
            device=device, image_size=image_size, **described,
        )  # fmt: skip

    @staticmethod
    def trainable(weights: Mapping[str, str] | None, settings: Mapping[str, Any]) -> LatentMap:
        """Return the network with a map that is to be learnt.

        Args:
            weights: of the autoencoder, in the layout of diffusers; random if there are none.
            settings: of the entry.

        Raises:
            UserError: the weights are missing, or of another autoencoder.
        """
        shape = settings.get("vae") or {}
        network = LatentMap(shape, settings.get("image_size", 256), settings["dimension"])
        if weights:
            path = weights_file(weights, "diffusion_pytorch_model.safetensors")
            encoder = rename_keys(read_tensors(path), _ENCODES)
            own = {f"map.{name}": tensor for name, tensor in network.map.state_dict().items()}
            load_exactly(network, encoder | own, path)
        return network
