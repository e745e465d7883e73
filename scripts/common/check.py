"""Find what is missing before anything runs: a weight, a file, a key, a package.

``make check``; the demo calls it as well, and Snakemake's start refuses a wrong configuration.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from scripts.common.backends import check_entry, find_backend
from scripts.common.code import ROOT
from scripts.common.configuration import check_configuration, read_sheets, wanted_entries
from scripts.common.errors import UserError
from scripts.curate.export_files import find_exports
from scripts.curate.released_layout import (
    EMBEDDINGS,
    find_embeddings,
    find_tables,
    find_video_tars,
    released_annotations,
    splits_of,
)


def read_configuration(*overrides: Path) -> dict[str, Any]:
    """Return the paper's configuration with the given files merged over it, as Snakemake does.

    Raises:
        UserError: a file is missing or no YAML.
    """
    config: dict[str, Any] = {}
    for path in (ROOT / "config" / "config.yaml", *overrides):
        try:
            update_config(config, yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {})
        except FileNotFoundError:
            raise UserError(f"{path} is missing; name an existing configuration file") from None
        except yaml.YAMLError as error:
            raise UserError(f"{path} is not valid YAML: {error}") from None
    return config


def find_faults(config: Mapping[str, Any]) -> list[str]:
    """Return all that a run of ``config`` would miss, one sentence each with the way out.

    Paths are seen from the working directory.

    Raises:
        UserError: the configuration itself is at fault.
    """
    folder = ROOT / "config"
    sheets = read_sheets(folder)
    check_configuration(config, sheets, folder)
    made_up = config["source"] == "demo"
    faults = _missing_releases(config, sheets) if config["source"] == "release" else []
    exports = config["curate"]["exports"]
    if config["source"] != "release" and not find_exports(exports, made_up=made_up):
        faults.append(
            f"curate.exports: the folder {exports} holds no .html file; put DiscordChatExporter "
            "exports there, or name another folder in the configuration"
        )
    if config["source"] != "release":
        faults += _missing_for_links(config["curate"]["links"])
    for (sheet, name), entry in wanted_entries(config, sheets, folder).items():
        where = f"config/{sheet}.yaml: {name}"
        if config["source"] == "release" and _is_released(config, sheets, sheet, name):
            continue
        if sheet == "sources":
            faults += [] if made_up else _missing_files(where, entry)
            continue
        faults += check_entry(where, entry)
        if "backend" in entry:
            try:
                find_backend(entry)
            except UserError as error:
                faults.append(f"{where}: {error}")
    return faults


def _missing_releases(config: Mapping[str, Any], sheets: Mapping[str, Any]) -> list[str]:
    """Return what is missing of the released data set: tables, embeddings, videos."""
    release, splits = config["release"], splits_of(config["release"])
    folder = release["folder"]
    searches = [lambda split=split: find_tables(folder, split) for split in splits]
    searches += [
        lambda name=name: find_embeddings(folder, name, splits)
        for name in released_annotations(config)
        if name in EMBEDDINGS
    ]
    for generator in config["generate"]["generators"]:
        if name := sheets["generators"][generator].get("released"):
            full = release["all_pika_videos"] and "scraped" in sheets["generators"][generator]
            searches.append(
                lambda g=generator, n=name, full=full: find_video_tars(folder, g, n, full=full)
            )
    faults = []
    for search in searches:
        try:
            search()
        except UserError as error:
            faults.append(str(error))
    return faults


def _is_released(
    config: Mapping[str, Any], sheets: Mapping[str, Any], sheet: str, name: str
) -> bool:
    """Return whether what an entry would make was released, so that the entry is not needed."""
    if sheet == "generators":
        return "released" in sheets[sheet][name]
    if sheet != "annotators":
        return False
    makes = {key for key, value in config["annotate"]["annotators"].items() if value == name}
    embeds_subjects = config["annotate"]["subjects"]["embedder"] == name
    return makes <= set(released_annotations(config)) and not embeds_subjects


def find_absences(config: Mapping[str, Any]) -> list[str]:
    """Return what no command can fetch: rows of the paper whose weights were never published."""
    folder = ROOT / "config"
    entries = wanted_entries(config, read_sheets(folder), folder)
    return [
        f"config/{sheet}.yaml: {name} ({entry['label']}): {entry['unavailable']}; its row shows "
        "the paper's numbers only"
        for (sheet, name), entry in entries.items()
        if "unavailable" in entry
    ]


def _missing_for_links(links: Mapping[str, Any]) -> list[str]:
    mirror, table, command = links["mirror"], links["fresh_table"], links["fresh_command"]
    faults = []
    if mirror and "://" not in mirror and not Path(mirror).is_dir():
        faults.append(f"curate.links.mirror: there is no folder {mirror}; correct it or empty it")
    if table and not Path(table).is_file():
        faults.append(f"curate.links.fresh_table: {table} is missing; correct it or empty it")
    if command and shutil.which(command[0]) is None:
        faults.append(
            f"curate.links.fresh_command: there is no program {command[0]}; install it or correct "
            "its path"
        )
    return faults


def _missing_files(where: str, entry: Mapping[str, Any]) -> list[str]:
    return [
        f"{where}: {entry[key]} is missing; put it there or correct '{key}' of the entry"
        for key in ("tar", "index")
        if not Path(entry[key]).exists()
    ]


def main() -> int:
    """Print what is missing; return 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--directory", type=Path, default=Path())
    arguments = parser.parse_args()
    try:
        config = read_configuration(*arguments.config)
        arguments.directory.mkdir(parents=True, exist_ok=True)
        os.chdir(arguments.directory)
        faults = find_faults(config)
        for absence in find_absences(config):
            print(f"not to be had: {absence}", file=sys.stderr)
    except UserError as error:
        faults = [str(error)]
    for fault in faults:
        print(f"missing: {fault}", file=sys.stderr)
    if faults:
        plural = "things are" if len(faults) > 1 else "thing is"
        print(f"{len(faults)} {plural} missing; nothing was run", file=sys.stderr)
        return 1
    print("check: every weight, file and key that this configuration wants is there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
