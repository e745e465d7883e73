"""Tracers that are the image side of CLIP-like models, by open_clip."""

from collections.abc import Mapping
from typing import Any

from scripts.models.clip import load_clip
from scripts.trace.torch_tracer import TorchTracer


class OpenClipTracer(TorchTracer):
    """Describes pictures by a CLIP model's joint embedding; a Tracer."""

    def __init__(
        self,
        weights: Mapping[str, str],
        device: str = "cpu",
        *,
        model: str,
        model_config: Mapping[str, Any] | None = None,
        projected: bool = True,
        **described: Any,
    ):
        """Build the model and load its weights.

        Args:
            weights: a repository of the hub with ``open_clip_model.safetensors``, or a file.
            device: ``cpu``, ``cuda`` or ``auto``.
            model: open_clip's name; OpenAI's weights need the variants ending in ``-quickgelu``.
            model_config: a configuration that open_clip does not know by name.
            projected: whether the embedding is the one that texts share, or what is before it.
            described: what else ``TorchTracer`` takes; pictures are normalised as CLIP's.

        Raises:
            UserError: open_clip has no such model, or the weights are missing or do not fit.
        """
        network = load_clip(weights, model_config or model, device).visual
        if not projected:
            network.proj = None
        described = {"normalisation": "clip"} | described
        super().__init__(network, name=model, device=device, **described)
