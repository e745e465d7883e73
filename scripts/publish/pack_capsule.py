"""Pack the capsule: what Tables 3, 4, 5 and 7 and Figure 6 are made from, without videos and weights."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.common.fingerprints import sha256_of
from scripts.common.job import run_job
from scripts.common.progress import progress
from scripts.common.provenance import code_version
from scripts.common.rule_log import Counts
from scripts.common.seen import copy_seen


def pack_capsule(files: Sequence[Path], capsule: Path, *, config: Mapping[str, Any]) -> Counts:
    """Put features, scores, matches and lists into a folder, each where it lies among the results.

    Of trained weights only the notes are taken, which say what the training saw. Files are hard
    links where the file system has such.

    Args:
        files: of the results, from the working directory.
        capsule: the folder to make. ``config.yaml`` in it is the study's without ids, and ``manifest.json``
            has the code's commit and each file's checksum.
        config: the configuration.

    Returns:
        Counts of files.
    """
    checksums = {}
    for path in progress(files, "files"):
        target = capsule / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            copy_seen(path, target)
        else:
            try:
                os.link(path, target)
            except OSError:
                shutil.copyfile(path, target)
        checksums[str(path)] = sha256_of(target)
    # Nothing is collected from a capsule, and the tables of a release are not in it.
    source = "discord_exports" if config["source"] == "release" else config["source"]
    # Ids in messages stay with the messages.
    published = {**config, "source": source, "curate": {**config["curate"], "bot_ids": []}}
    text = yaml.safe_dump(published, sort_keys=True, allow_unicode=True)
    (capsule / "config.yaml").write_text(text, encoding="utf-8")
    manifest = {"code": code_version(), "files": checksums}
    (capsule / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return Counts(kept=len(files))


if __name__ == "__main__":
    run_job(pack_capsule, snakemake)
