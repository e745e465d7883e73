"""I2V background: DreamSim, which is what the image-to-video suite's code loads (VBench-I2V).

DreamSim's ensemble (Fu et al., NeurIPS 2023) is three Vision Transformers, DINO's, OpenAI's and
OpenCLIP's ViT-B/16, each with an adapter of low rank on queries, keys and values. Weights are those
that its authors publish (``dreamsim_ensemble_checkpoint.zip``), and DINO's own, which they fetch.
"""

import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional

from scripts.common.errors import UserError
from scripts.common.roles import EvaluationItem
from scripts.common.weight_files import file_beside, weights_file
from scripts.evaluate.frame_transforms import resize_picture, resize_with_antialiasing
from scripts.evaluate.similarity import faithfulness
from scripts.evaluate.unscorable import require_frames
from scripts.models.devices import pick_device
from scripts.models.pixels import IMAGENET, OPENAI_CLIP, normalise
from scripts.models.weights import State, load_exactly, read_tensors

SIDE, DEPTH, HEADS = 224, 12, 12
CLIPS = {"clip_vitb16_pretrain.pth.tar": "quick_gelu", "open_clip_vitb16_pretrain.pth.tar": "gelu"}
"""Members of the archive, in the order of the ensemble after DINO, and their activation."""
ADAPTER = "ensemble_lora/adapter_model.safetensors"
ADAPTER_SETTINGS = "ensemble_lora/adapter_config.json"
_LORA = re.compile(
    r"(?:base_model\.model\.)*extractor_list\.(\d)\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight"
)


class ImageFaithfulnessDreamSim:
    """VBench-I2V's ``i2v_background``: the rule of ``i2v_subject`` on DreamSim's embeddings.

    Both are squeezed to a square with antialiasing: the image prompt as a picture, the frames as
    tensors of bytes.
    """

    def __init__(
        self,
        weights: Mapping[str, str] | None,
        device: str = "cpu",
        *,
        width: int = 768,
        batch_size: int = 16,
    ):
        """Load the three networks.

        Args:
            weights: DINO's as ``{hub, revision, file}``, and the archive as ``path``.
            device: ``cpu``, ``cuda`` or ``auto``.
            width: of the networks' tokens.
            batch_size: frames per forward pass; it changes no score.

        Raises:
            UserError: the weights are missing or those of other networks.
        """
        dino, archive = weights_file(weights), weights_file(file_beside(weights))
        self._device, self._batch_size = pick_device(device), batch_size
        self._networks = [network.eval().to(self._device) for network in ensemble(width)]
        states = [(read_tensors(dino), dino), *((state, archive) for state in read_clips(archive))]
        adapters = read_adapters(archive)
        for number, (network, (state, source)) in enumerate(
            zip(self._networks, states, strict=True)
        ):
            if number == 0:  # the token is taken before the last norm
                state = {name: its for name, its in state.items() if not name.startswith("norm.")}
            load_exactly(network, adapted(state, adapters[number], archive), source)

    def score(self, item: EvaluationItem) -> float:
        """Return the faithfulness of all frames, in [0, 1].

        Raises:
            Rejected: too_few_frames.
        """
        require_frames(len(item.frames), 2)
        [image] = self.embed(resize_picture(item.image, SIDE, SIDE)[None])
        return faithfulness(self.embed(item.frames), image)

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """Return DreamSim's embeddings of uint8 RGB pictures, float32 (pictures, dimension), length 1."""
        found = []
        for pixels in resize_with_antialiasing(pictures, SIDE, SIDE, self._batch_size):
            pixels = pixels.to(self._device)
            with torch.inference_mode():
                parts = [
                    network(normalise(pixels, IMAGENET if number == 0 else OPENAI_CLIP))
                    for number, network in enumerate(self._networks)
                ]
                features = torch.cat(parts, dim=1)
                features -= features.mean(dim=1, keepdim=True)
                found.append(functional.normalize(features, dim=1).float().cpu())
        return torch.cat(found).numpy()


def ensemble(width: int = 768) -> list[nn.Module]:
    """Return DINO's, OpenAI's and OpenCLIP's Vision Transformer, of any weights."""
    shape = {"img_size": SIDE, "patch_size": 16, "embed_dim": width, "depth": DEPTH,
             "num_heads": HEADS, "num_classes": 0}  # fmt: skip
    dino = VisionTransformer(**shape)
    dino.norm = nn.Identity()
    networks = [dino]
    for activation in CLIPS.values():
        norm = partial(nn.LayerNorm, eps=1e-5)
        network = VisionTransformer(**shape, act_layer=activation, norm_layer=norm)
        network.norm_pre = norm(width)
        network.head = nn.Linear(width, width * 2 // 3, bias=False)
        networks.append(network)
    return networks


def read_clips(archive: Path) -> list[State]:
    """Return the states of both CLIPs' Vision Transformers, as timm names them."""
    states = []
    for member in CLIPS:
        state = _member(archive, member, "state_dict")
        # The norm before the first block stands in place of a dropout there.
        state = {name.replace("pos_drop.", "norm_pre."): value for name, value in state.items()}
        if "proj" in state:
            state["head.weight"] = state.pop("proj").T.contiguous()
        states.append(state)
    return states


def read_adapters(archive: Path) -> list[dict[str, torch.Tensor]]:
    """Return for each network what the adapter adds: name of a layer -> a change of its weight.

    Raises:
        UserError: the archive has no such adapter.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            settings = json.loads(members.read(ADAPTER_SETTINGS))
        scale = settings["lora_alpha"] / settings["r"]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UserError(
            f"weights file {archive} has no {ADAPTER_SETTINGS} that can be read ({error}); fetch the "
            "archive of DreamSim's ensemble again"
        ) from None
    halves: dict[tuple[int, str], dict[str, torch.Tensor]] = {}
    for name, tensor in _member(archive, ADAPTER).items():
        if not (found := _LORA.fullmatch(name)):
            raise UserError(f"weights file {archive} has an adapter of another kind, with '{name}'")
        halves.setdefault((int(found[1]), found[2]), {})[found[3]] = tensor
    changes: list[dict[str, torch.Tensor]] = [{} for _ in range(1 + len(CLIPS))]
    for (number, layer), pair in halves.items():
        changes[number][layer] = scale * (pair["B"] @ pair["A"])
    return changes


def adapted(state: State, changes: Mapping[str, torch.Tensor], source: Path) -> State:
    """Return a state whose layers have their adapters added.

    Raises:
        UserError: a layer is missing, or one of ``DEPTH`` blocks has no adapter.
    """
    layers = {f"blocks.{number}.attn.qkv" for number in range(DEPTH)}
    if changes.keys() != layers or any(f"{layer}.weight" not in state for layer in layers):
        raise UserError(
            f"weights file {source} is of another architecture: its adapter is not on queries, keys "
            f"and values of {DEPTH} blocks; correct 'weights' of its entry"
        )
    added = {
        f"{layer}.weight": state[f"{layer}.weight"] + change for layer, change in changes.items()
    }
    return state | added


def _member(archive: Path, name: str, state: str = "") -> State:
    """Return the tensors of one of an archive's files; errors as ``read_tensors``."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(archive) as members:
                path = members.extract(name, folder)
        except (zipfile.BadZipFile, KeyError) as error:
            raise UserError(
                f"weights file {archive} has no {name} that can be read ({error}); fetch the archive "
                "of DreamSim's ensemble again"
            ) from None
        return read_tensors(path, state)
