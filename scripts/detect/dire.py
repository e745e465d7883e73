"""DIRE: a ResNet-50 on what a diffusion model cannot reconstruct of a picture."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel
from PIL import Image

from scripts.detect.picture_classifier import ResNetClassifier
from scripts.models.weights import State, load_exactly, read_tensors, rename_keys

STEPS = 1000
"""Steps in which the diffusion model was trained, with variances in a line from 1e-4 to 0.02."""

_RESNET = (
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
    ("skip_connection", "conv_shortcut"),
)
_ATTENTION = (("norm", "group_norm"), ("proj_out", "to_out.0"))


class Dire(ResNetClassifier):
    """DIRE (Wang et al., DIRE for diffusion-generated image detection, 2023).

    As in the harness of Table 3 and in the authors' release: the picture is taken to noise by ADM's
    model of bedrooms in 20 deterministic steps, and back; the network sees the difference.
    """

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        classifier: str = "DIRE.pth",
        diffusion: str = "lsun_bedroom.pt",
        size: int = 256,
        widths: Sequence[int] = (256, 256, 512, 512, 1024, 1024),
        attention_from: int = 3,
        head: int = 64,
        steps: int = 20,
        **settings: Any,
    ):
        """Load both files in the folder ``weights['path']``.

        Args:
            weights: the folder.
            classifier: its file with the ResNet-50.
            diffusion: its file with the diffusion model, in the layout of guided-diffusion.
            size: side of the pictures that the diffusion model takes, in pixels.
            widths: channels of its levels.
            attention_from: level from which on, counted from 0, there is attention.
            head: channels of a head of the attention.
            steps: to noise, and back.
            settings: ``resize`` and ``crop`` of what is made of a picture, and ``device``.

        Raises:
            UserError: a file is missing or does not fit.
        """
        super().__init__(weights, classifier=classifier, **settings)
        self._size = size
        attends = [level >= attention_from for level in range(len(widths))]
        down = {True: "AttnDownBlock2D", False: "ResnetDownsampleBlock2D"}
        up = {True: "AttnUpBlock2D", False: "ResnetUpsampleBlock2D"}
        self._model = UNet2DModel(
            in_channels=3,
            out_channels=6,  # the noise, and a variance that nothing here needs
            block_out_channels=list(widths),
            down_block_types=[down[level] for level in attends],
            up_block_types=[up[level] for level in reversed(attends)],
            downsample_type="resnet",
            upsample_type="resnet",
            resnet_time_scale_shift="scale_shift",
            attention_head_dim=head,
            attn_norm_num_groups=32,
        )
        state = as_diffusers(read_tensors(self._folder / diffusion), len(widths), head)
        load_exactly(self._model, state, self._folder / diffusion)
        self._model.eval().to(self._device)
        kept = np.cumprod(1 - np.linspace(1e-4, 0.02, STEPS))[:: STEPS // steps]
        self._times = list(range(0, STEPS, STEPS // steps))
        self._scales = [(np.sqrt(1 / one), np.sqrt(1 / one - 1)) for one in kept]
        self._kept = [1.0, *kept, 0.0]

    @torch.inference_mode()
    def seen(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return what is lost of the pictures, as pictures."""
        cut = np.stack([centre(image, self._size) for image in images])
        pixels = torch.from_numpy(cut).permute(0, 3, 1, 2).to(self._device) / 127.5 - 1
        x = pixels
        for number in range(len(self._times)):
            x = self._step(x, number, self._kept[number + 2])
        for number in reversed(range(len(self._times))):
            x = self._step(x, number, self._kept[number])
        lost = ((pixels - x).abs() * 255 / 2).clamp(0, 255).to(torch.uint8)
        return list(lost.permute(0, 2, 3, 1).contiguous().cpu().numpy())

    def _step(self, x: torch.Tensor, number: int, kept: float) -> torch.Tensor:
        """Return a picture with another share of noise (DDIM): ``kept`` of its own variance.

        What the model takes for the picture is cut off at black and white, and the noise follows.
        """
        whole, noise = (torch.tensor(scale, dtype=torch.float32) for scale in self._scales[number])
        predicted = self._model(x, self._times[number]).sample[:, :3]
        picture = (whole * x - noise * predicted).clamp(-1, 1)
        predicted = (whole * x - picture) / noise
        share = torch.tensor(kept, dtype=torch.float32)
        return picture * torch.sqrt(share) + torch.sqrt(1 - share) * predicted


def centre(picture: np.ndarray, size: int) -> np.ndarray:
    """Return the middle of a picture at a side of ``size`` pixels, as ADM's training had it.

    The picture is halved by means of four while it can be, and then resized by cubic splines.
    """
    image = Image.fromarray(picture)
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    sides = (round(image.width * scale), round(image.height * scale))
    pixels = np.asarray(image.resize(sides, Image.Resampling.BICUBIC))
    top, left = ((side - size) // 2 for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size].astype(np.float32)


def as_diffusers(state: State, levels: int, head: int) -> State:
    """Return the weights of guided-diffusion's U-Net by the names that diffusers has for them.

    Args:
        state: of a network with two residual blocks in each level.
        levels: of it.
        head: channels of an attention head; its queries, keys and values lie together in ``state``.
    """
    places = [
        ("time_embed.0", "time_embedding.linear_1"),
        ("time_embed.2", "time_embedding.linear_2"),
    ]
    places += [("input_blocks.0.0", "conv_in"), ("out.0", "conv_norm_out"), ("out.2", "conv_out")]
    resnets = [(f"middle_block.{2 * number}", f"mid_block.resnets.{number}") for number in (0, 1)]
    attentions = [("middle_block.1", "mid_block.attentions.0")]
    for level in range(levels):
        down, up = f"down_blocks.{level}", f"up_blocks.{level}"
        resnets.append((f"input_blocks.{3 * level + 3}.0", f"{down}.downsamplers.0"))
        for number in range(3):
            inward = f"input_blocks.{3 * level + 1 + number}"
            outward = f"output_blocks.{3 * level + number}"
            if number < 2:
                resnets.append((f"{inward}.0", f"{down}.resnets.{number}"))
                attentions.append((f"{inward}.1", f"{down}.attentions.{number}"))
            resnets.append((f"{outward}.0", f"{up}.resnets.{number}"))
            attentions.append((f"{outward}.1", f"{up}.attentions.{number}"))
        last = f"output_blocks.{3 * level + 2}"
        resnets += [(f"{last}.{place}", f"{up}.upsamplers.0") for place in (1, 2)]
    for inner, parts in ((_RESNET, resnets), (_ATTENTION, attentions)):
        places += [(f"{old}.{a}", f"{new}.{b}") for old, new in parts for a, b in inner]
    split = {}
    for old, new in attentions:
        for kind in ("weight", "bias"):
            if f"{old}.qkv.{kind}" in state:
                joint = state[f"{old}.qkv.{kind}"].squeeze(-1)
                parts = joint.view(-1, 3, head, *joint.shape[1:]).unbind(1)
                for letter, part in zip("qkv", parts, strict=True):
                    split[f"{new}.to_{letter}.{kind}"] = part.flatten(0, 1)
    renamed = rename_keys(state, [(re.escape(old) + r"\.", new + ".") for old, new in places])
    squeezed = {
        name: value.squeeze(-1) if ".to_out." in name else value for name, value in renamed.items()
    }
    return squeezed | split
