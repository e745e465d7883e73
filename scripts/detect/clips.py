"""Clips of a video as VideoMAE sees them: which frames, and how they are prepared (Supplement 14).

The recipe is that of the transformers library for fine-tuning VideoMAE, whose words Supplement 14
uses, with pytorchvideo's transforms written out.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from scripts.common.video import uniform_indices
from scripts.models.pixels import IMAGENET


@dataclass(frozen=True)
class ClipSettings:
    """How clips are cut and prepared.

    Attributes:
        frames: frames of a clip.
        seconds: length of the window of a video from which they come.
        size: side of the square that the network sees, in pixels.
        short_side: smallest and largest shorter side of the random scaling in training, in pixels.
        flip_probability: of mirroring a clip in training.
        decode_short_side: shorter side to which frames are reduced while decoding, in pixels;
            None keeps the video's size.
    """

    frames: int
    seconds: float
    size: int
    short_side: tuple[int, int]
    flip_probability: float = 0.5
    decode_short_side: int | None = None

    def decoded_size(self, width: int, height: int) -> tuple[int, int] | None:
        """Return (width, height) to which a video's frames are reduced, or None."""
        if self.decode_short_side is None or min(width, height) <= self.decode_short_side:
            return None
        return scaled_size(width, height, self.decode_short_side)


def scaled_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Return (width, height) with the shorter side as asked and the longer one rounded down."""
    if width < height:
        return short_side, height * short_side // width
    return width * short_side // height, short_side


def window_frames(frames: int, fps: float, start_s: float, seconds: float) -> range:
    """Return the numbers of the frames shown from ``start_s`` for ``seconds``, ends included.

    A video of unknown frame rate is one window; a window between two frames has the later one,
    or the last.
    """
    if not fps:
        return range(frames)
    first = min(int(np.ceil(start_s * fps - 1e-9)), frames - 1)
    last = min(int(np.floor((start_s + seconds) * fps + 1e-9)), frames - 1)
    return range(first, max(first, last) + 1)


def random_clip(
    frames: int, fps: float, settings: ClipSettings, rng: np.random.Generator
) -> list[int]:
    """Return the frame numbers of a clip from a window that begins anywhere where it fits."""
    start = 0.0
    if fps:
        start = rng.uniform(0, max(frames / fps - settings.seconds, 0))
    return subsample(window_frames(frames, fps, start, settings.seconds), settings.frames)


def consecutive_clips(frames: int, fps: float, settings: ClipSettings) -> list[list[int]]:
    """Return the frame numbers of the clips of a test video: whole windows, one after the other.

    A video shorter than a window is one clip; what is left after the last window is not seen.
    """
    windows = max(1, int(frames / fps / settings.seconds + 1e-9)) if fps else 1
    starts = [number * settings.seconds for number in range(windows)]
    shown = [window_frames(frames, fps, start, settings.seconds) for start in starts]
    return [subsample(window, settings.frames) for window in shown]


def subsample(window: range, count: int) -> list[int]:
    """Return ``count`` frame numbers spread evenly over a window; they repeat if it is short."""
    return [window[index] for index in uniform_indices(len(window), count)]


def training_input(
    frames: np.ndarray, settings: ClipSettings, rng: np.random.Generator
) -> torch.Tensor:
    """Return a clip normalised, scaled, cropped and mirrored at random, all frames alike.

    Args:
        frames: uint8 RGB of shape (frames, height, width, 3).
        settings: how.
        rng: draws the scale, the crop and the mirroring.

    Returns:
        float32 of shape (frames, 3, size, size).
    """
    clip = channels_first(frames)
    low, high = settings.short_side
    width, height = scaled_size(clip.shape[3], clip.shape[2], int(rng.integers(low, high + 1)))
    clip = functional.interpolate(clip, (height, width), mode="bilinear", align_corners=False)
    top = int(rng.integers(0, height - settings.size + 1))
    left = int(rng.integers(0, width - settings.size + 1))
    clip = clip[:, :, top : top + settings.size, left : left + settings.size]
    if rng.random() < settings.flip_probability:
        clip = clip.flip(3)
    return normalise(clip)


def evaluation_input(frames: np.ndarray, settings: ClipSettings) -> torch.Tensor:
    """Return a clip normalised and resized to a square, without keeping its proportions.

    Not antialiased, as the scaling in training is not.

    Args:
        frames: uint8 RGB of shape (frames, height, width, 3).
        settings: how.

    Returns:
        float32 of shape (frames, 3, size, size).
    """
    size = (settings.size, settings.size)
    return normalise(
        functional.interpolate(channels_first(frames), size, mode="bilinear", align_corners=False)
    )


def channels_first(frames: np.ndarray) -> torch.Tensor:
    """Return uint8 (frames, height, width, 3) as float32 (frames, 3, height, width), 0 to 255."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float().contiguous()


def normalise(clip: torch.Tensor) -> torch.Tensor:
    """Return a clip of values from 0 to 255, normalised by channel.

    It comes last, on the few pixels that are left: scaling and cropping give the same either way.
    """
    # ImageNet's, as in the checkpoint's own preprocessor.
    mean, deviation = (255 * torch.tensor(values)[:, None, None] for values in IMAGENET)
    return (clip - mean) / deviation
