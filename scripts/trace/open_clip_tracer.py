"""Tracers that are the image side of CLIP-like models, by open_clip."""

from collections.abc import Mapping
from typing import Any

from scripts.models.clip import load_clip
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.torch_tracer import TorchTracer


class OpenClipTracer(TorchTracer):
    """Describes pictures by a CLIP model's joint embedding; a Tracer."""

    def __init__(
        self,
        weights: Mapping[str, str],
        device: str = "cpu",
        *,
        model: str,
        dimension: int,
        model_config: Mapping[str, Any] | None = None,
        image_size: int = 224,
        resize: str = "squeeze",
        shorter_side: int | None = None,
        interpolation: str = "bicubic",
        normalisation: str = "clip",
        batch_size: int = 64,
        precision: str = "float32",
    ):
        """Build the model and load its weights.

        For the arguments not named here see ``TorchTracer`` and ``Preprocessing``.

        Args:
            weights: a repository of the hub with ``open_clip_model.safetensors``, or a file.
            device: ``cpu``, ``cuda`` or ``auto``.
            model: open_clip's name; OpenAI's weights need the variants ending in ``-quickgelu``.
            dimension: numbers that describe a picture.
            model_config: a configuration that open_clip does not know by name.
            image_size: see ``Preprocessing``.
            resize: likewise.
            shorter_side: likewise.
            interpolation: likewise.
            normalisation: likewise.
            batch_size: see ``TorchTracer``.
            precision: likewise.

        Raises:
            UserError: open_clip has no such model, or the weights are missing or do not fit.
        """
        super().__init__(
            load_clip(weights, model_config or model, device).visual,
            Preprocessing(image_size, resize, shorter_side, interpolation, normalisation),
            name=model,
            dimension=dimension,
            device=device,
            batch_size=batch_size,
            precision=precision,
        )
