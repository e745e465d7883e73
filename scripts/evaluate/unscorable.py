"""How a dimension says that it cannot score an item."""

from scripts.common.errors import Rejected


def require_frames(frames: int, least: int) -> None:
    """Refuse a video with fewer than ``least`` frames.

    Raises:
        Rejected: too_few_frames.
    """
    if frames < least:
        raise Rejected("too_few_frames", f"{frames} of at least {least}")
