"""Parameters that users typed behind a prompt for Pika: ``a cat -motion 2 -ar 16:9 -neg blurry``."""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Parameters(NamedTuple):
    """Options typed behind a prompt; None where one was not given.

    ``camera`` holds moves such as ``zoom in`` and ``pan left``; ``others`` holds, as typed, options
    that Pika does not know, mostly Midjourney's (``--v 5``, ``--size 100``).
    """

    negative_prompt: str | None = None
    motion: int | None = None
    guidance_scale: float | None = None
    aspect_ratio: str | None = None
    camera: list[str] | None = None
    fps: int | None = None
    seed: int | None = None
    others: str | None = None


_DIRECTION = r"(?:up|down|left|right)\b"
_AND = r"(?:\s*[,&+/]\s*|\s+and\s+|\s+)"
_MOVE = (
    r"(?:zoom[\s-]+(?:in|out)\b"
    rf"|pan[\s-]+{_DIRECTION}(?:{_AND}{_DIRECTION})*"
    r"|rotate[\s-]+(?:ccw|acw|cw|counter-?clockwise|anti-?clockwise|clockwise)\b)"
)
_CAMERA_WORD = re.compile(r"(?P<verb>zoom|pan|rotate)[\s-]+|\band\b|(?P<way>[a-z][a-z-]*)")
_PARAMETER = re.compile(
    r"[–—-](?<![\w–—-].)-?(?P<spaced>(?<=-)\s+)?(?:"
    r"(?P<text>neg(?:ative)?(?:[ _-]?prompt)?|(?:(?<=--)|(?<=[–—]))no)(?:[\s:=]+|$)"
    r"|(?:"
    r"(?P<name>motion|guidance[ _-]?scale|gs|fps|seed)[\s:=]*(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?:aspect[ _-]?ratio|aspect|ar)[\s:=]*"
    r"(?P<width>\d+(?:\.\d+)?)\s*[:/x×]\s*(?P<height>\d+(?:\.\d+)?)"
    rf"|camera[\s:=]*(?P<camera>{_MOVE}(?:{_AND}{_MOVE})*)"
    r"|(?:(?<=--)|(?<=[–—]))(?:"
    r"(?:version|v|size|stylize|s|quality|q|chaos|c|niji|iw|cw|sw|stop|weird|w|h)"
    r"[\s:=]*\d+(?:\.\d+)?(?:x\d+)?"
    r"|style[\s:=]+(?:raw|cute|expressive|scenic|original|\d\w)"
    r"|(?:tile|hd|testp?|uplight|upbeta|fast|relax|turbo))"
    r")(?!\w)[,;.]?(?=\s|$|[–—-])"
    r")",
    re.IGNORECASE,
)
_ENDS_THERE = re.compile(r"\s*(?:$|[–—-])")
_GREATEST_SEED = 2**63 - 1
_GREATEST_OTHER = 10**6


def split_parameters(text: str) -> tuple[str, Parameters]:
    """Part what was typed into the prompt and its parameters.

    Parameters are ``-name value``, ``--name value`` or ``—name value`` (a telephone's dash), and
    ``- name value`` where a parameter or nothing follows. A name without a fitting value belongs
    to the prompt. A negative prompt goes on to the next parameter. Of a parameter given twice the
    last counts, but camera moves and negative prompts add up.

    Args:
        text: prompt and parameters, white space folded.

    Returns:
        The prompt, which may be '', and the parameters.
    """
    values: dict[str, object] = {}
    camera: list[str] = []
    negatives: list[str] = []
    others: list[str] = []
    prompt: list[str] = []
    reading, position = prompt, 0
    for found in _PARAMETER.finditer(text):
        kind = found.lastgroup
        if kind != "text" and found["spaced"] and not _ENDS_THERE.match(text, found.end()):
            continue
        reading.append(text[position : found.start()])
        reading, position = prompt, found.end()
        if kind == "text":
            reading = negatives if found["text"].lower() != "no" else others
            others += [found[0]] if reading is others else []
        elif kind == "camera":
            camera += _camera_moves(found["camera"].lower())
        elif kind == "height":
            values["aspect_ratio"] = f"{found['width']}:{found['height']}"
        elif kind != "number" or not _set_number(values, found["name"].lower(), found["number"]):
            others.append(found[0])
    reading.append(text[position:])
    return _joined(prompt, " "), Parameters(
        negative_prompt=(negatives and _joined(negatives, ", ")) or None,
        camera=camera or None,
        others=(others and _joined(others, " ")) or None,
        **values,
    )


def _joined(parts: list[str], separator: str) -> str:
    return separator.join(filter(None, map(str.strip, parts)))


def _set_number(values: dict[str, object], name: str, number: str) -> bool:
    """Set a numeric parameter; False if the number is none that it can have."""
    if name.startswith("g"):
        values["guidance_scale"] = float(number)
        return True
    limit = _GREATEST_SEED if name == "seed" else _GREATEST_OTHER
    if "." in number or abs(int(number)) > limit:
        return False
    values[name] = int(number)
    return True


def _camera_moves(text: str) -> Iterator[str]:
    """Yield the moves of ``pan up left, zoom in`` one by one: ``pan up``, ``pan left``, ..."""
    verb = ""
    for found in _CAMERA_WORD.finditer(text):
        verb = found["verb"] or verb
        if found["way"]:
            yield f"{verb} {found['way']}"
