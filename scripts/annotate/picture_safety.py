"""Falconsai's nsfw_image_detection and classifiers like it: a vision transformer (Section 3)."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from scripts.common.errors import UserError
from scripts.models.devices import mixed_precision, pick_device
from scripts.models.weights import load_pretrained


class PictureSafety:
    """Scores how unsafe pictures are; an ImageSafety."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        unsafe_label: str = "nsfw",
        threshold: float = 0.5,
        batch_size: int = 32,
        precision: str = "float32",
    ):
        """Load the network and what prepares its pictures.

        Args:
            weights: ``{hub, revision}`` or ``{path}`` of a folder in the hub's layout.
            device: ``cpu``, ``cuda`` or ``auto``.
            unsafe_label: the label whose probability is the score.
            threshold: score from which a picture counts as unsafe.
            batch_size: pictures per forward pass; it changes no result.
            precision: on a GPU; see ``mixed_precision``.

        Raises:
            UserError: the weights are missing, or have no such label.
        """
        self._device, self._precision = pick_device(device), precision
        self._processor = load_pretrained(AutoImageProcessor.from_pretrained, weights)
        network = load_pretrained(
            AutoModelForImageClassification.from_pretrained, weights, use_safetensors=True
        )
        labels = network.config.label2id
        if unsafe_label not in labels:
            raise UserError(
                f"the classifier has no label '{unsafe_label}'; it has {', '.join(labels)}; "
                "correct 'settings.unsafe_label'"
            )
        self._network = network.eval().to(self._device)
        self._column = labels[unsafe_label]
        self._batch_size = batch_size
        self.threshold = threshold

    def prepare(self, image: np.ndarray) -> torch.Tensor:
        """Return a picture (uint8 RGB) as the network takes it; threads may call it."""
        pixels = self._processor(
            np.array(image), return_tensors="pt", input_data_format="channels_last"
        )
        return pixels["pixel_values"][0]

    def score(self, images: Sequence[np.ndarray | torch.Tensor]) -> np.ndarray:
        """Return float32 of shape (images,) in [0, 1].

        Args:
            images: uint8 RGB, or as ``prepare`` gives them.
        """
        scores = np.empty(len(images), np.float32)
        for start in range(0, len(images), self._batch_size):
            batch = images[start : start + self._batch_size]
            ready = [one if isinstance(one, torch.Tensor) else self.prepare(one) for one in batch]
            with torch.inference_mode(), mixed_precision(self._device, self._precision):
                logits = self._network(torch.stack(ready).to(self._device)).logits.float()
            found = logits.softmax(dim=1)[:, self._column]
            scores[start : start + len(batch)] = found.cpu().numpy()
        return scores
