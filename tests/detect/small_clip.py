"""A CLIP of a few thousand weights, which open_clip knows by a name."""

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from torch import nn


def small_univfd(folder: Path) -> tuple[dict[str, str], str, str]:
    """Write the weights of a UnivFD on a small CLIP.

    Returns:
        the linear layer's weights as of an entry; the name of the CLIP; the file of its weights.
    """
    vision = {"image_size": 224, "layers": 1, "width": 32, "head_width": 16, "patch_size": 32}
    text = {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1}
    config = {"embed_dim": 24, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    name = "tests-small-clip"
    (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(2)
    clip = open_clip.create_model(name, pretrained=None)
    save_file(clip.state_dict(), folder / "open_clip_model.safetensors")
    layer = nn.Linear(clip.visual.output_dim, 1)
    torch.save(layer.state_dict(), folder / "fc_weights.pth")
    return (
        {"path": str(folder / "fc_weights.pth")},
        name,
        str(folder / "open_clip_model.safetensors"),
    )
