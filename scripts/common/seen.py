"""What a trained model saw, carried by its weights, so that nothing is tested on what it saw.

A safetensors file begins with the length of its header (eight bytes, the lowest first) and the
header itself, JSON whose ``__metadata__`` is free for notes. To read it needs neither the library
nor the tensors.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.errors import UserError

_NOTE = "saw"


def write_seen(
    weights: Path,
    *,
    sources: Mapping[str, int],
    classes: Mapping[str, int] | int,
    uuids: Iterable[str],
) -> None:
    """Write into a weights file what its training saw; the same gives the same bytes.

    Args:
        weights: a safetensors file, whose tensors and other notes stay as they are.
        sources: generators and outside sources -> the items that each of them gave.
        classes: the classes that were learnt -> items, or how many there were.
        uuids: of all items; kept by the first eight bytes of their SHA-256.
    """
    header, tensors = _read(weights, tensors=True)
    checksums = base64.b64encode(np.unique(_checksums(uuids)).tobytes()).decode()
    note = {"sources": sources, "classes": classes, "uuids": checksums}
    notes = header.pop("__metadata__", {}) | {_NOTE: json.dumps(note, sort_keys=True)}
    text = json.dumps({"__metadata__": notes} | header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    part = weights.with_name(f"{weights.name}.part")
    part.write_bytes(len(text).to_bytes(8, "little") + text + tensors)
    os.replace(part, weights)


def copy_seen(weights: Path, target: Path) -> None:
    """Write a weights file that has the notes of another, and no tensors."""
    text = json.dumps({"__metadata__": _read(weights)[0].get("__metadata__", {})}).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(len(text).to_bytes(8, "little") + text)


def read_seen(weights: Path) -> dict[str, Any]:
    """Return what ``write_seen`` wrote; ``uuids`` are sorted checksums.

    Raises:
        UserError: the file is missing, is none, or says nothing.
    """
    note = _read(weights)[0].get("__metadata__", {}).get(_NOTE)
    if note is None:
        raise UserError(f"{weights} does not say what its training saw; delete it and train again")
    seen = json.loads(note)
    return seen | {"uuids": np.frombuffer(base64.b64decode(seen["uuids"]), "<u8")}


def refuse_seen(
    weights: Path, tested_as: str, generator: str, uuids: Iterable[str], *, same_domain: bool
) -> None:
    """Refuse a model that saw what it is tested on.

    Args:
        weights: of the model, with what it saw.
        tested_as: the row of the table for which it is tested.
        generator: whose items test it.
        uuids: of the items that test it, whatever their source.
        same_domain: whether the row says that it learnt from this generator.

    Raises:
        UserError: it saw one of the items; or the generator, and the row says that it did not, or
            the reverse.
    """
    seen, uuids = read_seen(weights), sorted(set(uuids))
    way_out = "delete it and run again, so that it is trained on what its row says"
    if (generator in seen["sources"]) != same_domain:
        what = "saw nothing" if same_domain else f"saw {seen['sources'][generator]:,} items"
        raise UserError(
            f"{weights} {what} of {generator}, and '{tested_as}' tests it on that; {way_out}"
        )
    is_known = np.isin(_checksums(uuids), seen["uuids"])
    known = [uuid for uuid, is_one in zip(uuids, is_known, strict=True) if is_one]
    if known:
        raise UserError(
            f"{weights} saw {len(known):,} of the {len(uuids):,} items of {generator} on which "
            f"'{tested_as}' tests it, such as {known[0]}; correct the split, and {way_out}"
        )


def _checksums(uuids: Iterable[str]) -> np.ndarray:
    digests = b"".join(sha256(uuid.encode()).digest()[:8] for uuid in uuids)
    return np.frombuffer(digests, "<u8")


def _read(weights: Path, tensors: bool = False) -> tuple[dict[str, Any], bytes]:
    try:
        with open(weights, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            return header, file.read() if tensors else b""
    except FileNotFoundError:
        raise UserError(f"{weights} is missing; run the rule that makes it") from None
    except (ValueError, OverflowError, MemoryError):
        raise UserError(f"{weights} is no safetensors file; delete it and run again") from None
