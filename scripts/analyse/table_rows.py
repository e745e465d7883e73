"""The rows of Tables 4 and 5 that are trained here, or that stand in groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.common.schemas import detect, trace

Entry = Mapping[str, Any]

TRAINED = ("Same Domain", "Cross Domain")
UNGROUPED = "Other Models"


def classifier_rows(videomae: Entry, generators: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the rows of Table 4: the trained detector in each setting."""
    return _trained(videomae, (detect.SAME_DOMAIN, detect.CROSS_DOMAIN), generators)


def tracer_rows(
    tracers: Sequence[Entry], cosface: Entry, generators: Sequence[Entry]
) -> list[dict[str, Any]]:
    """Return the rows of Table 5, groups in the order of their first tracer, the trained one last."""
    grouped = [{**tracer, "group": tracer.get("group") or UNGROUPED} for tracer in tracers]
    places = list(dict.fromkeys(tracer["group"] for tracer in grouped))
    grouped.sort(key=lambda tracer: places.index(tracer["group"]))
    trained = _trained(cosface, (trace.SAME_DOMAIN, trace.CROSS_DOMAIN), generators)
    return grouped + [{**row, "group": "Ours", "paper": row["label"]} for row in trained]


def _trained(entry: Entry, keys: Sequence[str], generators: Sequence[Entry]) -> list[dict]:
    """Return a row for each setting of what is trained; of one generator, there are no others."""
    settings = list(zip(keys, TRAINED, strict=True))[: 2 if len(generators) > 1 else 1]
    return [{**entry, "key": key, "label": label} for key, label in settings]
