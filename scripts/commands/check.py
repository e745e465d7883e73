"""Find what is missing before anything runs: a weight, a file, a key, a package.

``make check``; the demo calls it as well, and Snakemake's start refuses a wrong configuration.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from scripts.common.backends import check_entry, check_packages
from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.study import Study, indexes_of
from scripts.common.weight_files import KEEPS_IT, is_commit, parts_of
from scripts.curate.graph import CurateGraph, no_exports
from scripts.curate.release.released_layout import (
    EMBEDDINGS,
    find_embeddings,
    find_tables,
    find_video_tars,
    released_annotations,
    splits_of,
)
from scripts.sources.members import find_files


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


def study_of(config: Mapping[str, Any]) -> Study:
    """Return the study of a configuration, as Snakemake's start makes it.

    Raises:
        UserError: the configuration itself is at fault.
    """
    study = Study.of(config)
    if not study.is_release:
        return study
    return replace(study, released_annotations=released_annotations(config))


def find_faults(study: Study) -> list[str]:
    """Return all that a run would miss, one sentence each with the way out.

    Paths are seen from the working directory.
    """
    reads_sources = study.config["source"] != "demo" and "split" in study.stages
    faults = []
    if "curate" in study.stages:
        faults = _missing_of_the_release(study) if study.is_release else _missing_exports(study)
    for (sheet, name), entry in study.wanted.items():
        where = f"config/{sheet}.yaml: {name}"
        if was_released(study, sheet, name):
            continue
        if sheet == "sources":
            faults += _missing_files(where, entry) if reads_sources else []
            continue
        faults += check_entry(where, entry)
        if "backend" in entry:
            try:
                check_packages(entry)
                _check_pipeline(entry)
            except UserError as error:
                faults.append(f"{where}: {error}")
    return faults


def _check_pipeline(entry: Mapping[str, Any]) -> None:
    """Refuse a pipeline of diffusers that does not exist, or takes no such argument or setting, and
    a program whose checkout is missing.

    Raises:
        UserError: as ``scripts.generate.any_pipeline.check_settings``, or ``check_checkout``.
    """
    settings = entry.get("settings") or {}
    if "checkout" in settings:
        # Named here as well, before anything runs.
        from scripts.generate.program import check_checkout

        check_checkout(settings["checkout"])
    if "pipeline" in settings:
        # Here alone: diffusers takes seconds, and most studies name none of its entries.
        from scripts.generate.any_pipeline import check_settings

        check_settings(settings)


def find_absences(study: Study) -> list[str]:
    """Return what no command can fetch: rows of the paper whose weights were never published."""
    return [
        f"config/{sheet}.yaml: {name} ({entry['label']}): {entry['unavailable']}; its row shows "
        "the paper's numbers only"
        for (sheet, name), entry in study.wanted.items()
        if "unavailable" in entry
    ]


def find_branches(study: Study) -> list[str]:
    """Return which entries' weights are at a branch of the hub, since no commit of it was kept."""
    return [
        f"config/{sheet}.yaml: {name} ({place['hub']} at {place['revision']})"
        for (sheet, name), entry in study.wanted.items()
        if not was_released(study, sheet, name)
        for place in (entry.get("weights") or {}, *parts_of(entry).values())
        if "hub" in place and not is_commit(place["revision"])
    ]


def _missing_exports(study: Study) -> list[str]:
    curate = CurateGraph(study)
    faults = _missing_for_links(curate.settings["links"])
    return faults if curate.exports else [*faults, no_exports(curate.settings["exports"])]


def _missing_of_the_release(study: Study) -> list[str]:
    """Return what is missing of the released data set: tables, embeddings, videos."""
    release, splits = study.config["release"], splits_of(study.config["release"])
    folder = release["folder"]
    searches = [partial(find_tables, folder, split) for split in splits]
    searches += [
        partial(find_embeddings, folder, name, splits)
        for name in study.released_annotations
        if name in EMBEDDINGS
    ]
    for generator in study.released:
        entry = study.fields("generators", generator)
        full = release["all_pika_videos"] and "scraped" in entry
        tars = partial(find_video_tars, folder, generator, entry["released"], splits, full=full)
        searches.append(tars)
    faults = []
    for search in searches:
        try:
            search()
        except UserError as error:
            faults.append(str(error))
    return faults


def was_released(study: Study, sheet: str, name: str) -> bool:
    """Return whether what an entry would make was released, so that the entry is not needed."""
    if sheet != "annotators":
        return sheet == "generators" and name in study.released
    annotate = study.config["annotate"]
    makes = {key for key, value in annotate["annotators"].items() if value == name}
    embeds_subjects = annotate["subjects"]["embedder"] == name
    return makes <= set(study.released_annotations) and not embeds_subjects


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
    """Return what is missing of an outside source: its tar and index, or all that was published."""
    files = [entry["tar"], *indexes_of([entry["tar"]])] if "tar" in entry else []
    try:
        files += find_files(entry["layout"]["files"]) if "layout" in entry else []
    except UserError as error:
        return [f"{where}: {error}"]
    return [f"{where}: {file} is missing; 'make fetch' gets it where it can be had, or correct the "
            "entry" for file in files if not Path(file).exists()]  # fmt: skip


def main() -> int:
    """Print what is missing; return 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--directory", type=Path, default=Path())
    arguments, branches = parser.parse_args(), []
    try:
        study = study_of(read_configuration(*arguments.config))
        arguments.directory.mkdir(parents=True, exist_ok=True)
        os.chdir(arguments.directory)
        faults, branches = find_faults(study), find_branches(study)
        for absence in find_absences(study):
            print(f"not to be had: {absence}", file=sys.stderr)
    except UserError as error:
        faults = [str(error)]
    if branches:
        print(f"may move: {', '.join(branches)}; {KEEPS_IT}", file=sys.stderr)
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
