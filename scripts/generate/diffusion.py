"""What the paper's diffusion models share: loading a pipeline, fitting images, reading frames."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from huggingface_hub import snapshot_download
from PIL import Image, ImageOps

from scripts.common.errors import Rejected, UserError
from scripts.models.devices import pick_device

FITS = ("crop", "pad", "stretch")


def load_pipeline(
    kind: type[DiffusionPipeline],
    weights: Mapping[str, str],
    *,
    precision: str,
    variant: str | None,
    device: str,
    **parts: Any,
) -> DiffusionPipeline:
    """Return a pipeline on its device, from safetensors in the hub's local cache or in a folder.

    Args:
        kind: the pipeline's class.
        weights: ``hub`` and ``revision``, or ``path`` of a folder in diffusers' layout.
        precision: float32, float16 or bfloat16.
        variant: suffix of the weight files (``fp16``), or None.
        device: auto, cpu, cuda or cuda:N.
        parts: components that were loaded by themselves.

    Raises:
        UserError: the weights are not there, or not as diffusers lays them out.
    """
    settings = {"variant": variant, "dtype": getattr(torch, precision), "use_safetensors": True}
    pipeline = load_pretrained(kind, weights, **settings, **parts)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(pick_device(device))


def load_pretrained(kind: type, weights: Mapping[str, str], **settings: Any) -> Any:
    """Return ``kind.from_pretrained`` of what is in the hub's local cache or in a folder.

    Raises:
        UserError: it is not there, or not as the library lays it out.
    """
    try:
        return kind.from_pretrained(find_folder(weights), local_files_only=True, **settings)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{kind.__name__}: the weights at {weights.get('path') or weights.get('hub')} cannot "
            f"be loaded ({str(error).splitlines()[0]}); run make check"
        ) from None


def fit_image(image: np.ndarray, width: int, height: int, fit: str) -> Image.Image:
    """Return an image at exactly the size that a model wants.

    Args:
        image: uint8 RGB of shape (height, width, 3).
        width: wanted width in pixels.
        height: wanted height in pixels.
        fit: ``crop`` keeps the aspect and cuts what sticks out, ``pad`` keeps it and adds black
            bars, ``stretch`` does not keep it.
    """
    picture, size = Image.fromarray(image), (width, height)
    if fit == "crop":
        return ImageOps.fit(picture, size, Image.Resampling.BICUBIC)
    if fit == "pad":
        return ImageOps.pad(picture, size, Image.Resampling.BICUBIC)
    if fit == "stretch":
        return picture.resize(size, Image.Resampling.BICUBIC)
    raise UserError(f"settings.fit is '{fit}'; it may be one of: {', '.join(FITS)}")


def frames_of(output: Any, name: str = "frames") -> np.ndarray:
    """Return a pipeline's only video (``output_type="np"``), by its name there, as uint8 RGB.

    Returns:
        Shape (frames, height, width, 3).

    Raises:
        Rejected: not_a_number, as when half precision overflows.
    """
    frames = np.asarray(getattr(output, name)[0], dtype=np.float32)
    if not np.isfinite(frames).all():
        raise Rejected("not_a_number", "try another precision")
    return np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8)


def sound_of(output: Any) -> np.ndarray:
    """Return the sound of a pipeline's only video, float32 in [-1, 1] of (channels, samples).

    Raises:
        Rejected: not_a_number.
    """
    samples = output.audio[0].float().cpu().numpy()
    if not np.isfinite(samples).all():
        raise Rejected("not_a_number", "the sound; try another precision")
    return np.clip(np.atleast_2d(samples), -1, 1)


def seeded(seed: int) -> torch.Generator:
    """Return a generator on the CPU, whose numbers are the same whatever the device."""
    return torch.Generator("cpu").manual_seed(seed)


def find_folder(weights: Mapping[str, str]) -> str:
    """Return the folder of weights: ``path``, or the hub's snapshot in the local cache.

    Raises:
        OSError: it is not there.
    """
    if "path" in weights:
        if not Path(weights["path"]).is_dir():
            raise OSError(f"the folder {weights['path']} is missing")
        return str(weights["path"])
    return snapshot_download(weights["hub"], revision=weights["revision"], local_files_only=True)
