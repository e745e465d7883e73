"""The release's Croissant file: what it is, how to load it, where each column comes from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.common.schemas.annotate import PACKED_DATASET
from scripts.publish.column_provenance import column_provenance

TYPES = {pa.string(): "sc:Text", pa.float32(): "sc:Float"}
"""Types of columns -> what Croissant calls them; the remaining one is the picture."""
FORMATS = {".parquet": "application/x-parquet", ".tar": "application/x-tar"}
"""Ending -> media type of the release's files."""


def write_croissant(
    croissant: Path,
    packed: Sequence[Path],
    checksums: Mapping[str, str],
    *,
    sheet: Mapping[str, Any],
    provenance: Mapping[str, Any],
    annotators: Mapping[str, str],
    licence: str,
    banner: str,
) -> None:
    """Describe the release in Croissant 1.1.

    Args:
        croissant: the JSON-LD to write.
        packed: tables of ``PACKED_DATASET``, in ``data/`` beside the file.
        checksums: SHA-256 of every file of the release, by its name from there.
        sheet: what no table tells, as ``config/croissant.yaml`` has it.
        provenance: as ``provenance_graph`` returns it.
        annotators: what made each annotation, in words.
        licence: of the data, by its identifier on the hub.
        banner: a line at the head of the description; empty for none.
    """
    rows = sum(pq.read_metadata(path).num_rows for path in packed)
    text = f"{rows:,} text and image prompts for image-to-video generation, with annotations."
    files = [
        {"@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name}
        | {"encodingFormat": FORMATS[Path(name).suffix], "sha256": checksum}
        | {"contentSize": f"{(croissant.parent / name).stat().st_size} B"}
        for name, checksum in checksums.items()
    ]
    everything = {"@type": "cr:FileSet", "@id": "files", "name": "files"}
    everything |= {"encodingFormat": FORMATS[".parquet"], "includes": "data/*.parquet"}
    fields = [_field(column, annotators) for column in PACKED_DATASET]
    record_set = {"@type": "cr:RecordSet", "@id": "prompts", "name": "prompts", "field": fields}
    record_set["key"] = {"@id": "prompts/UUID"}
    described = {
        "@context": sheet["context"],
        **sheet["dataset"],
        "description": f"{banner} {text}".strip(),
        "license": f"https://spdx.org/licenses/{licence}",
        **provenance,
        "distribution": [*files, everything],
        "recordSet": [record_set],
    }
    croissant.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _field(column: pa.Field, annotators: Mapping[str, str]) -> dict[str, Any]:
    """Return a column, from what it is derived, and what does that."""
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
        **column_provenance(column.name, annotators),
    }
