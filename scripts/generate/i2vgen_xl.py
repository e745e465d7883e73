"""I2VGen-XL (Zhang et al., arXiv 2311.04145): its text goes in as embeddings."""

from collections.abc import Mapping
from typing import Any

import torch

from scripts.generate.any_pipeline import AnyPipeline


class I2VGenXL(AnyPipeline):
    """Animates an image as a text says."""

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        negative_prompt: str,
        clip_skip: int = 1,
        **settings: Any,
    ):
        """Load the weights.

        Args:
            weights: as all settings but the following in ``AnyPipeline``.
            negative_prompt: what the video must not look like.
            clip_skip: last layers of the text encoder that are left out.
            settings: of ``AnyPipeline``.
        """
        super().__init__(weights, **settings)
        self._clip_skip = clip_skip
        self._unwanted = self._embed(negative_prompt)

    def _text(self, prompt: str) -> dict[str, torch.Tensor]:
        return {"prompt_embeds": self._embed(prompt), "negative_prompt_embeds": self._unwanted}

    @torch.inference_mode()
    def _embed(self, text: str) -> torch.Tensor:
        """Return a text's embedding as the pipeline makes it, whatever the transformers release.

        The pipeline itself reads ``text_encoder.text_model``, which transformers 5 does away with.
        """
        tokenizer, encoder = self._pipeline.tokenizer, self._pipeline.text_encoder
        tokens = tokenizer(
            text,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        output = encoder(tokens.input_ids.to(encoder.device), output_hidden_states=True)
        hidden = output.hidden_states[-(self._clip_skip + 1)]
        return getattr(encoder, "text_model", encoder).final_layer_norm(hidden)
