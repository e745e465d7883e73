"""I2VGen-XL (Zhang et al., arXiv 2311.04145) through diffusers."""

from collections.abc import Mapping

import numpy as np
import torch
from diffusers import I2VGenXLPipeline

from scripts.generate.diffusion import fit_image, frames_of, load_pipeline, seeded


class I2VGenXL:
    """Animates an image as a text says."""

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        width: int,
        height: int,
        fit: str,
        frames: int,
        steps: int,
        guidance_scale: float,
        target_fps: int,
        fps: int,
        negative_prompt: str,
        clip_skip: int = 1,
        precision: str = "float16",
        variant: str | None = None,
        device: str = "auto",
    ):
        """Load the weights.

        Args:
            weights: ``hub`` and ``revision``, or ``path``.
            width: of the video in pixels, a multiple of 8.
            height: likewise.
            fit: how the image is brought to that size (``fit_image``).
            frames: of the video.
            steps: of denoising.
            guidance_scale: of classifier-free guidance, more than 1.
            target_fps: frame rate in 1/s that the model is asked for.
            fps: frame rate of the file in 1/s; the model's own demonstrations have 8.
            negative_prompt: what the video must not look like.
            clip_skip: last layers of the text encoder that are left out.
            precision: of the weights.
            variant: of the weight files.
            device: where the model runs.
        """
        self._pipeline = load_pipeline(
            I2VGenXLPipeline, weights, precision=precision, variant=variant, device=device
        )
        self._width, self._height, self._fit, self._fps = width, height, fit, fps
        self._clip_skip = clip_skip
        self._unwanted = self._embed(negative_prompt)
        self._settings = {
            "num_frames": frames,
            "num_inference_steps": steps,
            "guidance_scale": guidance_scale,
            "target_fps": target_fps,
        }

    @torch.inference_mode()
    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames and frame rate (``scripts.common.roles.Generator``)."""
        # The pipeline samples the image's latent without the generator that it is given.
        torch.manual_seed(seed)
        output = self._pipeline(
            prompt_embeds=self._embed(prompt),
            negative_prompt_embeds=self._unwanted,
            # Of the right size already: the pipeline's own crop is a pixel short of some images.
            image=fit_image(image, self._width, self._height, self._fit),
            width=self._width,
            height=self._height,
            generator=seeded(seed),
            output_type="np",
            **self._settings,
        )
        return frames_of(output), float(self._fps)

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
