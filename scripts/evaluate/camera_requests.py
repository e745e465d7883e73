"""Which camera move a prompt asks for: Pika's parameter, or the words of the text."""

import re
from collections.abc import Sequence

from scripts.evaluate.global_motion import MOVES

ROTATE = "rotate"
"""A rotation: in whichever sense, since Pika does not say whether scene or camera turns."""
ASKED = (*MOVES, ROTATE)
"""What can be asked for."""
OTHER = "none"
"""What was measured where no class fits."""
_WAYS = {"left": "pan_left", "right": "pan_right", "up": "tilt_up", "down": "tilt_down"}
_CAMERA = r"(?:camera|shot|view)\b[^.,;]{0,20}?"
_TEXTS = {
    **{
        move: rf"\bpan(?:s|ned|ning)?\b (?:\w+ ){{0,2}}{way}\b"
        rf"|\b{_CAMERA}\b(?:mov|slid|travel|go|tilt|drift)\w* (?:to the )?{way}\b"
        rf"|\btilt(?:s|ed|ing)? {way}\b"
        for way, move in _WAYS.items()
    },
    "zoom_in": r"\bzoom(?:s|ed|ing)?[ -]?in\b|\b(?:push|dolly)(?:es|ing)?[ -]?in\b",
    "zoom_out": r"\bzoom(?:s|ed|ing)?[ -]?out\b|\b(?:pull|dolly)(?:s|ing)? (?:back|out)\b",
    "static": r"\b(?:static|still|fixed|locked) (?:camera|shot)\b|\bcamera (?:is )?static\b"
    r"|\bno camera mo(?:vement|tion)\b",
    ROTATE: rf"\b{_CAMERA}\b(?:rotat|spin|roll)\w*",
}
_PATTERNS = {move: re.compile(pattern, re.IGNORECASE) for move, pattern in _TEXTS.items()}


def asked_by_parameter(camera: Sequence[str] | None) -> set[str]:
    """Return the moves of a ``-camera`` parameter, of ``ASKED``.

    Args:
        camera: as ``parameters.parquet`` has it, such as ["zoom in", "pan left"]; None if none.
    """
    found = set()
    for move in camera if camera is not None else ():
        kind, _, way = move.partition(" ")
        if kind == "pan" and way in _WAYS:
            found.add(_WAYS[way])
        elif kind == "zoom":
            found.add(f"zoom_{way}")
        elif kind == "rotate":
            found.add(ROTATE)
    return found & set(ASKED)


def asked_in_text(prompt: str) -> set[str]:
    """Return the moves that the words of a prompt ask for, in English, of ``ASKED``."""
    return {move for move, pattern in _PATTERNS.items() if pattern.search(prompt)}
