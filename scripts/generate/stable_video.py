"""Stable Video Diffusion XT (Blattmann et al., arXiv 2311.15127) through diffusers."""

from collections.abc import Mapping

import numpy as np
import torch
from diffusers import StableVideoDiffusionPipeline

from scripts.generate.diffusion import fit_image, frames_of, load_pipeline, seeded


class StableVideo:
    """Animates an image; the model takes no text, so the prompt has no effect."""

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        width: int,
        height: int,
        fit: str,
        frames: int,
        steps: int,
        min_guidance_scale: float,
        max_guidance_scale: float,
        fps: int,
        motion_bucket_id: int,
        noise_aug_strength: float,
        decode_chunk_size: int,
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
            min_guidance_scale: guidance of the first frame...
            max_guidance_scale: ...growing linearly to that of the last.
            fps: frame rate in 1/s, both of the file and as the model's condition.
            motion_bucket_id: more is more motion.
            noise_aug_strength: noise added to the image.
            decode_chunk_size: frames decoded at once.
            precision: of the weights.
            variant: of the weight files.
            device: where the model runs.
        """
        self._pipeline = load_pipeline(
            StableVideoDiffusionPipeline,
            weights,
            precision=precision,
            variant=variant,
            device=device,
        )
        self._width, self._height, self._fit, self._fps = width, height, fit, fps
        self._settings = {
            "num_frames": frames,
            "num_inference_steps": steps,
            "min_guidance_scale": min_guidance_scale,
            "max_guidance_scale": max_guidance_scale,
            "fps": fps,
            "motion_bucket_id": motion_bucket_id,
            "noise_aug_strength": noise_aug_strength,
            "decode_chunk_size": decode_chunk_size,
        }

    @torch.inference_mode()
    def generate(self, image: np.ndarray, prompt: str, *, seed: int) -> tuple[np.ndarray, float]:
        """Return frames and frame rate (``scripts.common.roles.Generator``)."""
        output = self._pipeline(
            # The pipeline itself would stretch the image to the video's aspect.
            fit_image(image, self._width, self._height, self._fit),
            width=self._width,
            height=self._height,
            generator=seeded(seed),
            output_type="np",
            **self._settings,
        )
        return frames_of(output), float(self._fps)
