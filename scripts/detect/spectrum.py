"""Spectrum: a training-free detector by the slope of a picture's amplitude spectrum."""

from collections.abc import Mapping, Sequence

import numpy as np

STEEPEST = 1.5
"""Steepest slope among 135 photographs of natural scenes, which range from 0.8 to it."""

SPREAD = 0.35
"""Half of that range: the unit in which a slope is far from it."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Spectrum:
    """Takes a picture for generated if it falls off to high frequencies as no photograph does.

    The amplitude of photographs falls with frequency as f^-a, with a between 0.8 and 1.5 (Tolhurst,
    Tadmor and Chao, Amplitude spectra of natural images, 1992); what generators interpolate,
    smooth or decode from a latent has less at high frequencies (as found by Durall, Keuper and
    Keuper, Watch your up-convolution, 2020). The score is 1 / (1 + exp(-(a - 1.5) / 0.35)), whose
    constants are those of the photographs: nothing is fitted to any data set. Video coding takes
    high frequencies away too, from real videos as well, so the score ranks better than it decides.
    """

    def __init__(
        self,
        weights: Mapping | None = None,
        *,
        lowest: float = 0.125,
        highest: float = 1.0,
        bands: int = 12,
        device: str = "cpu",
    ):
        """Choose the frequencies over which the slope is measured.

        Args:
            weights: none; a procedure has no weights.
            lowest: start of the range, as a share of the Nyquist frequency.
            highest: its end.
            bands: bands of equal width on a logarithmic scale, each of which counts the same.
            device: not used; a detector is told where to run.
        """
        self._edges = np.geomspace(lowest, highest, bands + 1)

    def score(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images,) in [0, 1], 1 for generated; images are uint8 RGB.

        A picture without any structure, such as a black frame, has no slope and scores 0.5.
        """
        slopes = np.array([self.slope(image) for image in images])
        scores = 1 / (1 + np.exp(-(slopes - STEEPEST) / SPREAD))
        return np.where(np.isfinite(scores), scores, 0.5).astype(np.float32)

    def slope(self, image: np.ndarray) -> float:
        """Return a of the amplitude spectrum f^-a of the luma; nan if there is no structure.

        A Hann window keeps the picture's borders from looking like edges; frequencies are shares
        of the Nyquist frequency of each axis.
        """
        luma = image.astype(np.float32) @ _LUMA
        height, width = luma.shape
        window = np.outer(np.hanning(height), np.hanning(width))
        amplitude = np.abs(np.fft.rfft2((luma - luma.mean()) * window))
        rows, columns = np.fft.fftfreq(height) * 2, np.fft.rfftfreq(width) * 2
        frequency = np.hypot(rows[:, None], columns[None, :])
        band = np.digitize(frequency, self._edges) - 1
        inside = (band >= 0) & (band < len(self._edges) - 1)
        count = np.bincount(band[inside], minlength=len(self._edges) - 1)
        total = np.bincount(band[inside], amplitude[inside], minlength=len(self._edges) - 1)
        # A band between two lines of a very small picture's spectrum is empty.
        used = (count > 0) & (total > 1e-6)
        if used.sum() < 2:
            return float("nan")
        centres = np.sqrt(self._edges[:-1] * self._edges[1:])[used]
        falling, _ = np.polyfit(np.log(centres), np.log(total[used] / count[used]), 1)
        return -float(falling)
