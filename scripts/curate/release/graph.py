"""Curate, from the released data set: where its rules find their inputs and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.common.errors import UserError
from scripts.common.study import Study
from scripts.curate.release.released_layout import (
    EMBEDDINGS,
    find_embeddings,
    find_picture_tars,
    find_tables,
    find_video_tars,
    splits_of,
)

Archives = Mapping[str, tuple[str, str]]
"""Name -> a tar, and the table of its members."""


@dataclass(frozen=True)
class ReleaseGraph:
    """What the rules of the released data set ask.

    Whatever looks for files raises ``UserError`` with a sentence that says which to download.
    """

    study: Study

    @property
    def settings(self) -> Mapping[str, Any]:
        """The release's part of the configuration; ``folder`` is where it was downloaded to."""
        return self.study.config["release"]

    @property
    def splits(self) -> list[str]:
        """The splits that are read, the largest first."""
        return splits_of(self.settings)

    @property
    def values(self) -> list[str]:
        """Annotations that are columns of the released tables."""
        return [name for name in self.study.released_annotations if name not in EMBEDDINGS]

    @property
    def embeddings(self) -> list[str]:
        """Annotations that were released as tables of their own."""
        return [name for name in self.study.released_annotations if name in EMBEDDINGS]

    @property
    def with_all_prompts(self) -> list[str]:
        """Generators of whose videos those of all prompts are wanted."""
        return self.study.scraped if self.settings["all_pika_videos"] else []

    @property
    def card(self) -> list[str]:
        """The data set's card, if it was downloaded as well."""
        path = Path(self.settings["folder"], "README.md")
        return [str(path)] if path.is_file() else []

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """Split -> the tables of its rows."""
        folder = self.settings["folder"]
        return {split: list(map(str, find_tables(folder, split))) for split in self.splits}

    @cached_property
    def pictures(self) -> Archives:
        """All places of pictures, in order of preference.

        Raises:
            UserError: there is no tar, and the tables' small pictures are not wanted.
        """
        folder, kinds = self.settings["folder"], self.settings["pictures"]
        tars = self._placed(find_picture_tars(folder, self.splits))
        if not tars and kinds == ["tars"]:
            raise UserError(
                f"{folder} holds no tar of image prompts, such as "
                "subset_image_prompt_tar/subset_image_prompt_1.tar; download them, or add parquet "
                "to release.pictures: the tables have small ones"
            )
        stems = [Path(table).stem for tables in self.tables.values() for table in tables]
        unpacked = "results/released/pictures/{0}.tar", "results/released/pictures/{0}.parquet"
        tables = {f"data/{stem}": tuple(one.format(stem) for one in unpacked) for stem in stems}
        places = {"tars": tars, "parquet": tables}
        return {name: files for kind in kinds for name, files in places[kind].items()}

    def videos(self, generator: str) -> Archives:
        """Return the released tars of a generator's videos."""
        name = self.study.fields("generators", generator)["released"]
        full = generator in self.with_all_prompts
        folder = self.settings["folder"]
        return self._placed(find_video_tars(folder, generator, name, self.splits, full=full))

    def shards_of(self, name: str) -> list[str]:
        """Return the tables of a folder of results, one for each shard."""
        return [f"results/{name}/{shard}.parquet" for shard in self.study.shards]

    def kind(self, wildcards: Any) -> str:
        """Return what the wildcard's tar holds."""
        return "video" if "_videos" in wildcards.archive else "picture"

    def better_pictures(self, wildcards: Any) -> list[str]:
        """Return the members of what goes before the wildcard's table: tars, or larger splits."""
        split = wildcards.table.partition("-")[0]
        members = []
        for name, (_, table) in self.pictures.items():
            if name.removeprefix("data/").partition("-")[0] == split:
                break
            members.append(table)
        return members

    def video_members(self, wildcards: Any) -> list[str]:
        """Return the members of the tars of the wildcard's generator."""
        return [members for _, members in self.videos(wildcards.generator).values()]

    def video_tars(self, wildcards: Any) -> list[str]:
        """Return the tars beside ``video_members``."""
        return [tar for tar, _ in self.videos(wildcards.generator).values()]

    def animated(self, wildcards: Any) -> list[str]:
        """Return the prompts of which there should be a video: the chosen ones, or all."""
        everything = wildcards.generator in self.with_all_prompts
        return ["results/chosen_prompts.parquet"] + everything * self.shards_of("prompts")

    def embedding_tables(self, wildcards: Any) -> list[str]:
        """Return the released tables of an embedding."""
        tables = find_embeddings(self.settings["folder"], wildcards.embedding, self.splits)
        return list(map(str, tables))

    def _placed(self, names: list[str]) -> Archives:
        folder = self.settings["folder"]
        return {
            name: (f"{folder}/{name}.tar", f"results/released/members/{name}.parquet")
            for name in names
        }
