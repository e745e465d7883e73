"""Outside sources: where their rules find their inputs and settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.common.study import Study
from scripts.sources.members import ARCHIVES, find_files

PROMPTS = "prompts"
TABLES = (".csv", ".parquet")


@dataclass(frozen=True)
class SourcesGraph:
    """What the rules of published sources ask; the demo's own sources have no layout."""

    study: Study

    @property
    def published(self) -> dict[str, Mapping[str, Any]]:
        """Name -> entry of each source that comes as its publisher gives it."""
        entries = self.study.sheets["sources"]
        return {name: entry for name, entry in entries.items() if "layout" in entry}

    def pattern(self, *, prompts: bool) -> str:
        """Return what the wildcard ``source`` may be: sources of prompts, or the others.

        The demo makes up the prompts of other data sets itself.
        """
        entries = self.published.items()
        if prompts and self.study.config["source"] == "demo":
            return "none"
        names = [name for name, entry in entries if (entry["role"] == PROMPTS) == prompts]
        return "|".join(names) or "none"

    def layout(self, wildcards: Any) -> dict[str, Any]:
        """Return how the wildcard's source is laid out."""
        layout = self.published[wildcards.source]["layout"]
        return {key: value for key, value in layout.items() if key != "known"}

    def label(self, wildcards: Any) -> str:
        """Return how tables call the wildcard's source."""
        return self.study.label("sources", wildcards.source)

    def kind(self, wildcards: Any) -> str:
        """Return what the wildcard's source holds."""
        return "video" if "videos" in self.published[wildcards.source]["role"] else "picture"

    def files(self, wildcards: Any) -> list[str]:
        """Return the archives or tables of the wildcard's shard, or the folders of loose files.

        Raises:
            UserError: there are none.
        """
        layout = self.layout(wildcards)
        files = find_files(layout["files"])[
            int(wildcards.get("shard", 0)) :: layout.get("shards", 1)
        ]
        if not all(one.endswith((*ARCHIVES, *TABLES)) for one in layout["files"]):
            files = sorted({re.split(r"/[^/]*[*?[]", one)[0] for one in layout["files"]})
        return files + ([layout["table"]["file"]] if "table" in layout else [])
