"""How a dimension says that it cannot score an item."""


class Unscorable(Exception):
    """An item that a dimension cannot score; ``reason`` is one of the closed list of SCORES."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


def require_frames(frames: int, least: int) -> None:
    """Refuse a video with fewer than ``least`` frames.

    Raises:
        Unscorable: too_few_frames.
    """
    if frames < least:
        raise Unscorable("too_few_frames", f"{frames} of at least {least}")
