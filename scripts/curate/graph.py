"""Curate, from exports: where its rules find their inputs and settings."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.fingerprints import fingerprint
from scripts.common.study import Study

DEMO_EXPORTS = ("demo-animate.html", "demo-create.html", "demo-create [part 2].html")
"""Files of the made-up channel: one plain, one partitioned in two as the exporter does it."""
MEDIA_FOLDERS = ("*_Files",)
"""Folders into which the exporter puts what was attached to messages."""
_SUFFIXES = (".html", ".htm")
_NO_INPUT = re.compile(r"[{}\ud800-\udfff]")
_LONGEST_NAME = 100  # a file of results has it with a suffix, and no name may have over 255 bytes


@dataclass(frozen=True)
class CurateGraph:
    """What the rules of the stage ask."""

    study: Study

    @property
    def settings(self) -> Mapping[str, Any]:
        """The stage's part of the configuration."""
        return self.study.config["curate"]

    @property
    def is_made_up(self) -> bool:
        """Whether the workflow makes the channel up."""
        return self.study.config["source"] == "demo"

    @cached_property
    def exports(self) -> dict[str, str]:
        """Name -> path of every export."""
        return find_exports(
            self.settings["exports"], self.settings["media_folders"], made_up=self.is_made_up
        )

    @property
    def export_pattern(self) -> str:
        """What the wildcard ``export`` may be."""
        return "|".join(map(re.escape, self.exports)) or "none"

    @cached_property
    def generator(self) -> str:
        """The generator whose videos the exports hold; image prompts are cut out of them.

        That is so also where the configuration does not compare it with others.

        Raises:
            UserError: there is none, or more than one.
        """
        sheet = self.study.sheets["generators"]
        known = [name for name, fields in sheet.items() if fields.get("scraped")]
        found = self.study.scraped or known
        if len(found) != 1:
            raise UserError(
                f"generate.generators: of the scraped generators ({', '.join(known) or 'none'}) "
                "name exactly one, the one whose bot is named in curate.bot_names"
            )
        return found[0]

    @cached_property
    def export_inputs(self) -> dict[str, str]:
        """Name -> HTML file of every export, by a path with which Snakemake can deal.

        It takes braces for a pattern, and cannot write down bytes that are no text.
        """
        return {
            name: f"results/exports/{name}.html" if _NO_INPUT.search(path) else path
            for name, path in self.exports.items()
        }

    def export_input(self, wildcards: Any) -> str:
        """Return the one of ``export_inputs`` that is the wildcard's."""
        return self.export_inputs[wildcards.export]

    def export_path(self, wildcards: Any) -> str:
        """Return the path of the wildcard's export as it lies there."""
        return self.exports[wildcards.export]

    def all_messages(self, wildcards: Any) -> list[str]:
        """Return the messages of every export.

        Raises:
            UserError: there is no export.
        """
        if not self.exports:
            raise UserError(no_exports(self.settings["exports"]))
        return [f"results/messages/{name}.parquet" for name in self.exports]


def no_exports(folder: str) -> str:
    """Return the sentence about a folder without exports."""
    return (
        f"curate.exports: the folder {folder} holds no .html file; put DiscordChatExporter exports "
        "there, or name another folder in the configuration"
    )


def find_exports(
    folder: str, media_folders: Sequence[str] = MEDIA_FOLDERS, *, made_up: bool
) -> dict[str, str]:
    """Return name -> path of every export, in the order of the names.

    The name is the file's with everything but ASCII letters and digits made a dash; files whose
    names agree then get a number. A long name is cut off, and a checksum is put behind it. What was attached to a message may itself be called ``.html``,
    and may be a forged export: nothing in a folder of media is one.

    Args:
        folder: searched through for HTML files, with its folders, as seen from the working
            directory.
        media_folders: patterns of the names of folders in it that hold media.
        made_up: the exports are the demo's, and need not exist yet.
    """
    if made_up:
        paths = [Path(folder) / name for name in DEMO_EXPORTS]
    else:
        paths = sorted(_pages(Path(folder), media_folders))
    exports: dict[str, str] = {}
    for path in paths:
        name = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-") or "export"
        if len(name) > _LONGEST_NAME:
            name = f"{name[:_LONGEST_NAME]}-{fingerprint(name=name)[:8]}"
        number = 2
        unique = name
        while unique in exports:
            unique, number = f"{name}-{number}", number + 1
        exports[unique] = str(path)
    return dict(sorted(exports.items()))


def _pages(folder: Path, media_folders: Sequence[str]) -> Iterator[Path]:
    for path in folder.rglob("*"):
        folders = path.relative_to(folder).parts[:-1]
        is_media = any(fnmatchcase(name, each) for name in folders for each in media_folders)
        if path.suffix.lower() in _SUFFIXES and not is_media and path.is_file():
            yield path
