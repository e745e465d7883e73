"""Write the data set's Croissant file: what it is, how to load it, where each column comes from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.common.fingerprints import sha256_of
from scripts.common.job import run_job
from scripts.common.rule_log import Counts
from scripts.common.schemas.annotate import PACKED_DATASET

TYPES = {pa.string(): "sc:Text", pa.float32(): "sc:Float"}
"""Types of columns -> what Croissant calls them; the remaining one is the picture."""


def describe_croissant(
    packed: Sequence[Path],
    croissant: Path,
    *,
    sheet: Mapping[str, Any],
    annotators: Mapping[str, str],
    source: str,
    licence: str,
    banner: str,
) -> Counts:
    """Describe the packed data set in Croissant 1.1.

    Args:
        packed: tables of ``PACKED_DATASET``, in ``data/`` beside the file.
        croissant: the JSON-LD to write.
        sheet: what no table tells, as ``config/croissant.yaml`` has it.
        annotators: what made each annotation, in words.
        source: of the study, as the configuration has it.
        licence: of the data, by its identifier on the hub.
        banner: a line at the head of the description; empty for none.

    Returns:
        Counts of the data set's rows.
    """
    rows = sum(pq.read_metadata(path).num_rows for path in packed)
    text = f"{rows:,} text and image prompts for image-to-video generation, with annotations."
    files = [
        {"@type": "cr:FileObject", "@id": path.name, "name": path.name}
        | {"contentUrl": f"data/{path.name}", "encodingFormat": "application/x-parquet"}
        | {"sha256": sha256_of(path), "contentSize": f"{path.stat().st_size} B"}
        for path in packed
    ]
    everything = {"@type": "cr:FileSet", "@id": "files", "name": "files"}
    everything |= {"encodingFormat": "application/x-parquet", "includes": "data/*.parquet"}
    origins = sheet["sources"][source]
    fields = [_field(column, sheet["columns"], origins, annotators) for column in PACKED_DATASET]
    record_set = {"@type": "cr:RecordSet", "@id": "prompts", "name": "prompts", "field": fields}
    record_set["key"] = {"@id": "prompts/UUID"}
    described = {
        "@context": sheet["context"],
        **sheet["dataset"],
        "description": f"{banner} {text}".strip(),
        "license": f"https://spdx.org/licenses/{licence}",
        "distribution": [*files, everything],
        "recordSet": [record_set],
    }
    croissant.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return Counts(kept=rows)


def _field(
    column: pa.Field,
    columns: Mapping[str, Any],
    origins: Mapping[str, str],
    annotators: Mapping[str, str],
) -> dict[str, Any]:
    """Return a column, from what it is derived, and what does that."""
    made = columns[column.name]
    origin = origins.get(made["from"])
    derived = {"@type": "prov:Entity", "sc:name": origin} if origin else None
    source: dict[str, Any] = {"fileSet": {"@id": "files"}, "extract": {"column": column.name}}
    if column.type not in TYPES:
        source["transform"] = {"jsonPath": "bytes"}
    return {
        "@type": "cr:Field",
        "@id": f"prompts/{column.name}",
        "name": column.name,
        "description": column.metadata[b"description"].decode(),
        "dataType": TYPES.get(column.type, "sc:ImageObject"),
        "source": source,
        "prov:wasDerivedFrom": derived or {"@id": f"prompts/{made['from']}"},
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "sc:name": annotators.get(made["by"], made["by"]),
        },
    }


if __name__ == "__main__":
    run_job(describe_croissant, snakemake)
