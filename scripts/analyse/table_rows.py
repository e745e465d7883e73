"""The rows of Tables 4 and 5 that are trained here, or that stand in groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.common.schemas import detect

Entry = Mapping[str, Any]

TRAINED = ("Same Domain", "Cross Domain")
UNGROUPED = "Other Models"


def classifier_rows(videomae: Entry, generators: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the rows of Table 4: the trained detector in each setting."""
    return _trained(videomae, (detect.SAME_DOMAIN, detect.CROSS_DOMAIN), generators)


def tracer_rows(
    tracers: Sequence[Entry], trained: Sequence[Entry], generators: Sequence[Entry]
) -> list[dict[str, Any]]:
    """Return the rows of Table 5, groups in the order of their first tracer, those trained here last.

    Of several that are trained the first one stands for the paper's, the others have names in their
    labels. ``keys`` of each are what the metrics call its rows.
    """
    grouped = [{**tracer, "group": tracer.get("group") or UNGROUPED} for tracer in tracers]
    places = list(dict.fromkeys(tracer["group"] for tracer in grouped))
    grouped.sort(key=lambda tracer: places.index(tracer["group"]))
    for number, entry in enumerate(trained):
        for row in _trained(entry, entry["keys"], generators):
            named = {"label": f"{row['label']} ({entry['label']})", "paper": ""}
            own = named if number else {"paper": row["label"]}
            grouped.append({**row, "group": "Ours", **own})
    return grouped


def _trained(entry: Entry, keys: Sequence[str], generators: Sequence[Entry]) -> list[dict]:
    """Return a row for each setting of what is trained; of one generator, there are no others."""
    settings = list(zip(keys, TRAINED, strict=True))[: 2 if len(generators) > 1 else 1]
    return [{**entry, "key": key, "label": label} for key, label in settings]
