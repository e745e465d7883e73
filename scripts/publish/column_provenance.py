"""Where each column of the release comes from, by the records of the jobs that made it (PROV-O)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.commands.lineage import Records

COLUMNS = {
    "UUID": "results/prompts/*.parquet",
    "Text_Prompt": "results/prompts/*.parquet",
    "Image_Prompt": "results/images/*.tar",
    "Subject": "results/subjects.parquet",
    "Timestamp": "results/prompts/*.parquet",
    "Text_NSFW": "results/annotations/text_nsfw/*.parquet",
    "Image_NSFW": "results/annotations/image_nsfw/*.parquet",
    "UserID": "results/prompts/*.parquet",
    "Direction": "results/annotations/direction/*.parquet",
}
"""Column -> the files from which ``build_dataset`` and ``pack_dataset`` take it."""


def provenance_graph(made: Path, directory: Path, origin: str) -> dict[str, list[dict[str, Any]]]:
    """Return what jobs did on the way to a file, as entities and activities of PROV-O.

    Files of a folder are one entity, and the jobs of a rule one activity: the graph of rules, not
    of a million files. What the workflow itself brings, such as a list, is no entity of its own.

    Args:
        made: the file, as the workflow names it.
        directory: the working directory, which has the records.
        origin: what a file that no job made is, in words.

    Returns:
        ``prov:wasDerivedFrom``: the entities; ``prov:wasGeneratedBy``: the activities.
    """
    entities: dict[str, dict[str, Any]] = {}
    activities: dict[str, dict[str, Any]] = {}
    waiting, seen = [Records(directory).trace(str(made))], set()
    while waiting:
        one = waiting.pop()
        if one.path in seen:
            continue
        seen.add(one.path)
        name = group_of(one.path)
        named = {"@type": "prov:Entity", "@id": f"files/{name}", "sc:name": name}
        entity = entities.setdefault(name, named)
        if one.rule is None:
            entity["sc:description"] = origin
            continue
        entity["prov:wasGeneratedBy"] = {"@id": f"rule/{one.rule}"}
        named = {"@type": "prov:Activity", "@id": f"rule/{one.rule}", "sc:name": one.rule}
        made_by = named | {"sc:description": one.script, "prov:used": []}
        activity = activities.setdefault(one.rule, made_by)
        parents = [parent for parent in one.parents if not parent.path.startswith("..")]
        used = {entry["@id"] for entry in activity["prov:used"]}
        used |= {f"files/{group_of(parent.path)}" for parent in parents}
        activity["prov:used"] = [{"@id": each} for each in sorted(used)]
        waiting += parents
    return {
        "prov:wasDerivedFrom": [entities[name] for name in sorted(entities)],
        "prov:wasGeneratedBy": [activities[name] for name in sorted(activities)],
    }


def group_of(path: str) -> str:
    """Return a file's folder and ending; of the results' first level, its name."""
    if str(Path(path).parent) == "results":
        return path
    return re.sub(r"/[^/]*?(\.\w+)$", r"/*\1", path)


def column_provenance(column: str, made_by: Mapping[str, str]) -> dict[str, Any]:
    """Return a column's entity, and the model or rule that made it.

    Args:
        column: of ``PACKED_DATASET``.
        made_by: annotation -> its model, in words.
    """
    maker = made_by.get(column.lower(), "")
    rule = {"@id": "rule/build_dataset"}
    made = {"@type": "prov:Activity", "sc:name": maker, "prov:wasInformedBy": rule}
    return {
        "prov:wasDerivedFrom": {"@id": f"files/{COLUMNS[column]}"},
        "prov:wasGeneratedBy": made if maker else rule,
    }
