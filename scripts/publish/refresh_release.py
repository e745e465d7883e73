"""A release from which something was taken out: its counts and checksums are said anew."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from scripts.common.fingerprints import sha256_of
from scripts.publish.describe_release import write_checksums

CARD, CROISSANT, SUMS = "README.md", "croissant.json", "SHA256SUMS"


def refresh_release(release: Path) -> None:
    """Write counts, sizes and checksums of a release's files anew where it states them.

    Nothing but the release is read, so that it may lie on another machine than the run.

    Args:
        release: the folder, with card, Croissant file and checksums.
    """
    card = (release / CARD).read_text(encoding="utf-8")
    _, head, body = card.split("---\n", 2)
    front = yaml.safe_load(head)
    rows = 0
    for part in front["configs"]:
        files = sorted(release.glob(part["data_files"][0]["path"]))
        number = sum(pq.read_metadata(path).num_rows for path in files)
        name = re.escape(part["config_name"])
        body = re.sub(rf"^(\| `{name}` \| )[\d,]+", rf"\g<1>{number:,}", body, flags=re.M)
        if part["config_name"] == "default":
            rows, size = number, sum(path.stat().st_size for path in files)
            info = front["dataset_info"]
            info["splits"][0] |= {"num_bytes": size, "num_examples": rows}
            info |= {"download_size": size, "dataset_size": size}
    body = re.sub(r"[\d,]+(?= unique prompts)", f"{rows:,}", body)
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    (release / CARD).write_text(f"---\n{head}---\n{body}", encoding="utf-8")

    lines = (release / SUMS).read_text(encoding="utf-8").splitlines()
    names = [line.partition("  ")[2] for line in lines]
    found = {name: sha256_of(release / name) for name in names if name != CROISSANT}
    described = json.loads((release / CROISSANT).read_text(encoding="utf-8"))
    for file in described["distribution"]:
        if file["@id"] in found:
            size = (release / file["@id"]).stat().st_size
            file |= {"sha256": found[file["@id"]], "contentSize": f"{size} B"}
    text = re.sub(r"[\d,]+(?= text and image prompts)", f"{rows:,}", described["description"])
    described["description"] = text
    text = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
    (release / CROISSANT).write_text(text, encoding="utf-8")
    write_checksums(release / SUMS, found | {CROISSANT: sha256_of(release / CROISSANT)})
