"""CogVideoX-5B-I2V (Yang et al., arXiv 2408.06072) through diffusers."""

from collections.abc import Mapping

import numpy as np
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXImageToVideoPipeline

from scripts.generate.diffusion import fit_image, frames_of, load_pipeline, seeded


class CogVideoX:
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
        dynamic_guidance: bool,
        fps: int,
        max_tokens: int,
        precision: str = "bfloat16",
        variant: str | None = None,
        device: str = "auto",
    ):
        """Load the weights.

        Args:
            weights: ``hub`` and ``revision``, or ``path``.
            width: of the video in pixels, a multiple of 16.
            height: likewise.
            fit: how the image is brought to that size (``fit_image``).
            frames: of the video, one more than a multiple of 8.
            steps: of denoising.
            guidance_scale: of classifier-free guidance.
            dynamic_guidance: let the guidance swing during denoising, with the DPM scheduler, as
                the authors' command line does; else the weights' own scheduler (DDIM).
            fps: frame rate of the file in 1/s.
            max_tokens: tokens of the prompt; longer ones are cut.
            precision: of the weights.
            variant: of the weight files.
            device: where the model runs.
        """
        self._pipeline = load_pipeline(
            CogVideoXImageToVideoPipeline,
            weights,
            precision=precision,
            variant=variant,
            device=device,
        )
        if dynamic_guidance:
            self._pipeline.scheduler = CogVideoXDPMScheduler.from_config(
                self._pipeline.scheduler.config, timestep_spacing="trailing"
            )
        self._width, self._height, self._fit, self._fps = width, height, fit, fps
        self._settings = {
            "num_frames": frames,
            "num_inference_steps": steps,
            "guidance_scale": guidance_scale,
            "use_dynamic_cfg": dynamic_guidance,
            "max_sequence_length": max_tokens,
        }

    @torch.inference_mode()
    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames and frame rate (``scripts.common.roles.Generator``)."""
        output = self._pipeline(
            fit_image(image, self._width, self._height, self._fit),
            prompt,
            width=self._width,
            height=self._height,
            generator=seeded(seed),
            output_type="np",
            **self._settings,
        )
        return frames_of(output), float(self._fps)
