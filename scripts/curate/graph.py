"""Curate, from exports: where its rules find their inputs and settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scripts.common.errors import UserError
from scripts.common.study import Study
from scripts.curate.export_files import find_exports


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

    @property
    def decoders(self) -> int:
        """Threads that prove videos: of downloads, several are proved while others come."""
        return 4 if self.settings["links"]["fetch"] else 1

    @cached_property
    def export_inputs(self) -> list[str]:
        """The HTML file of every export, by a name that Snakemake does not take for a pattern."""
        return [
            f"results/exports/{name}.html" if re.search(r"[{}]", path) else path
            for name, path in self.exports.items()
        ]

    def export_input(self, wildcards: Any) -> str:
        """Return the one of ``export_inputs`` that is the wildcard's."""
        return dict(zip(self.exports, self.export_inputs, strict=True))[wildcards.export]

    def export_path(self, wildcards: Any) -> str:
        """Return the path of the wildcard's export as it lies there."""
        return self.exports[wildcards.export]

    def of_exports(self, pattern: str) -> list[str]:
        """Return a file for each export; ``pattern`` has its name as ``{export}``."""
        return [pattern.format(export=name) for name in self.exports]

    def all_messages(self, wildcards: Any) -> list[str]:
        """Return the messages of every export.

        Raises:
            UserError: there is no export.
        """
        if not self.exports:
            raise UserError(no_exports(self.settings["exports"]))
        return self.of_exports("results/messages/{export}.parquet")

    def media_lists(self, wildcards: Any) -> list[str]:
        """Return the checksums of the media, which only the made-up channel has."""
        return ["results/sources/exports/media.sha256"] if self.is_made_up else []

    def fresh_links(self, wildcards: Any) -> list[str]:
        """Return the table of fresh links, if the configuration names one."""
        return [table] if (table := self.settings["links"]["fresh_table"]) else []

    @property
    def made_up_key(self) -> str:
        """A key for the users of the made-up channel, who need no secrecy; else none."""
        return "made-up users" if self.is_made_up else ""


def no_exports(folder: str) -> str:
    """Return the sentence about a folder without exports."""
    return (
        f"curate.exports: the folder {folder} holds no .html file; put DiscordChatExporter exports "
        "there, or name another folder in the configuration"
    )
