"""Pictures as arrays: lossless PNG in, PNG out."""

import io

import numpy as np
from PIL import Image

from scripts.common.errors import Rejected, UserError
from scripts.common.video import VideoProperties

Image.MAX_IMAGE_PIXELS = 2**27  # an 8K frame has 2**25; more is refused as a decompression bomb

FORMATS = ("JPEG", "PNG", "WEBP")
"""All that is opened: Pillow knows many more, some of which start other programs."""


def encode_png(picture: np.ndarray) -> bytes:
    """Return a picture (uint8 RGB of shape (height, width, 3)) as PNG; equal pixels, equal bytes."""
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "PNG", compress_level=6)
    return target.getvalue()


def decode_picture(data: bytes) -> np.ndarray:
    """Return a PNG, JPEG or WebP picture as uint8 RGB of shape (height, width, 3).

    Raises:
        Rejected: empty_file or undecodable.
    """
    if not data:
        raise Rejected("empty_file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Rejected("undecodable", str(error)) from None


def picture_properties(picture: np.ndarray, codec: str = "png") -> VideoProperties:
    """Return the index's properties of a picture: one frame, no frame rate."""
    height, width = picture.shape[:2]
    return VideoProperties(width, height, 0.0, 1, 0.0, codec)


def interpolation_of(name: str) -> Image.Resampling:
    """Return what PIL calls an interpolation, ``bicubic`` or ``bilinear``, antialiased by it.

    Raises:
        UserError: there is no such.
    """
    known = {one.name.lower(): one for one in (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)}
    if name not in known:
        raise UserError(f"'interpolation' is {name!r}; it may be one of: {', '.join(known)}")
    return known[name]
