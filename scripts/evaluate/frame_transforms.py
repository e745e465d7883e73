"""How frames are resized and normalised before a network: as tensors (VBench) or as pictures.

The two ways differ in the last digits that Table 7 shows: VBench resizes tensors without
antialiasing (explicitly so since 2024-11), AIGCBench resizes pictures with PIL, which antialiases.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize

from scripts.models.pixels import OPENAI_CLIP, normalise


def shorter_side_to(height: int, width: int, size: int) -> tuple[int, int]:
    """Return (height, width) with the shorter side ``size``; the longer one is rounded down."""
    if height <= width:
        return size, int(size * width / height)
    return int(size * height / width), size


def resize_frames(frames: np.ndarray, size: int, mode: str) -> torch.Tensor:
    """Resize the shorter side of frames to ``size`` without antialiasing, as VBench does.

    Args:
        frames: uint8 RGB of shape (frames, height, width, 3).
        size: in pixels.
        mode: ``bilinear`` or ``bicubic``; the latter leaves 0..255 at sharp edges, as it should.

    Returns:
        float32 of shape (frames, 3, height, width), 0..255.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
    return resize(pixels, [size], InterpolationMode(mode), antialias=False)


def resize_with_antialiasing(
    frames: np.ndarray, height: int, width: int, batch_size: int
) -> Iterator[torch.Tensor]:
    """Yield batches of uint8 RGB frames at another size, as today's image-to-video suite has them.

    Bicubic, as tensors of bytes: uint8 of shape (frames, 3, height, width).
    """
    for start in range(0, len(frames), batch_size):
        batch = np.ascontiguousarray(frames[start : start + batch_size])
        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2)
        yield resize(pixels, [height, width], InterpolationMode.BICUBIC, antialias=True)


def clip_tensors(frames: np.ndarray, size: int) -> torch.Tensor:
    """Prepare frames for CLIP as VBench does: bicubic without antialiasing, centre crop.

    Args:
        frames: uint8 RGB of shape (frames, height, width, 3).
        size: side of the network's input in pixels.

    Returns:
        float32 of shape (frames, 3, size, size).
    """
    # In parts: as float32, a whole video at its full size takes hundreds of megabytes.
    parts = [
        center_crop(resize_frames(frames[start : start + 16], size, "bicubic"), [size])
        for start in range(0, len(frames), 16)
    ]
    return normalise(torch.cat(parts), OPENAI_CLIP)


def clip_pictures(pictures: Iterable[np.ndarray], size: int) -> torch.Tensor:
    """Prepare pictures for CLIP as OpenAI's preprocessing does: PIL bicubic, centre crop.

    Args:
        pictures: uint8 RGB of shape (height, width, 3), of any sizes; taken one at a time.
        size: side of the network's input in pixels.

    Returns:
        float32 of shape (pictures, 3, size, size).
    """
    squares = []
    for picture in pictures:
        resized = resize_picture(picture, *shorter_side_to(*picture.shape[:2], size))
        squares.append(center_crop(torch.from_numpy(resized).permute(2, 0, 1), [size]))
    return normalise(torch.stack(squares), OPENAI_CLIP)


def resize_picture(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a picture, uint8 RGB, at another size as PIL resizes it: bicubic, with antialiasing."""
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(resized)


def squeeze_to(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a frame to another picture's size, whatever its own proportions (AIGCBench).

    Bilinear without antialiasing, as OpenCV's default; at most one level off it by rounding.

    Args:
        frame: uint8 RGB of shape (height, width, 3).
        height: of the other picture, in pixels.
        width: of the other picture, in pixels.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)
    return resize(pixels, [height, width], antialias=False).permute(1, 2, 0).numpy()
