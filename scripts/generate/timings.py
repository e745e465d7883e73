"""Seconds per video as ``make bench NAME=generate`` measured them on a GPU.

``results/benchmarks/generate.json`` of the working directory has a row for each generator and mode.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint

RESULTS = Path("results/benchmarks/generate.json")
FULL_SIZE = ("published", "random")
"""Weights of models in full size; those of a test are tiny, a procedure has none."""


@dataclass(frozen=True)
class Timing:
    """What was measured: seconds for a video, and where, in words."""

    seconds: float
    source: str


def settings_of(fields: Mapping[str, Any], *, fast: bool) -> dict[str, Any]:
    """Return the settings of an entry; fast ones have its cache beside them."""
    settings = dict(fields.get("settings") or {})
    return settings | {"cache": fields["fast"]} if fast else settings


def made_by(fields: Mapping[str, Any], *, fast: bool) -> str:
    """Return what stands for all of an entry that decides how long a video takes."""
    return fingerprint(backend=fields.get("backend"), settings=settings_of(fields, fast=fast))


def find_timing(generator: str, fields: Mapping[str, Any], *, fast: bool) -> Timing | None:
    """Return what was measured last of a generator as its entry stands now, or None.

    Only a model in full size on a GPU stands for what a job takes. Where nothing was measured with a
    cache, the time without it is the upper end. A cache with a threshold skips what hardly changes,
    which in random weights is something else than in trained ones.

    Args:
        generator: name of the entry.
        fields: of the entry, as in the sheet.
        fast: whether videos are made by its cache.

    Raises:
        UserError: the file is damaged.
    """
    if not RESULTS.is_file():
        return None
    for cached in (True, False) if fast else (False,):
        wanted = {"generator": generator, "made_by": made_by(fields, fast=cached), "gpu": True}
        looks = cached and "threshold" in fields["fast"]
        kinds = FULL_SIZE[:1] if looks else FULL_SIZE
        way = " without its cache" if fast and not cached else ""
        try:
            for row in reversed(json.loads(RESULTS.read_text(encoding="utf-8"))["measured"]):
                if {key: row[key] for key in wanted} == wanted and row["weights"] in kinds:
                    said = f"measured{way} on {row['device']}, {row['weights']} weights ({RESULTS})"
                    return Timing(float(row["seconds_per_video"]), said)
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{RESULTS} is damaged; delete it, or measure anew with: make bench NAME=generate"
            ) from None
    return None
