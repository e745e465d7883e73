"""The study: a configuration and the sheets behind it, and where what several stages share lies.

Each stage has a ``graph.py`` that builds on it: configuration and sheets in, paths and parameters
of rules out. Nothing here needs Snakemake, so that ``check`` and tests ask the same questions.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, gcd
from pathlib import Path
from typing import Any

import yaml

from scripts.common.code import ROOT
from scripts.common.configuration import check_configuration, read_sheets, wanted_entries
from scripts.common.identity import shard_names
from scripts.common.weight_files import entry_content

DECISIVE = ("backend", "settings", "weights")
"""Fields of an entry that decide a number; a label or a licence decides none."""
STAGES = (
    "curate", "annotate", "generate", "split", "evaluate", "detect", "trace", "analyse", "publish",
)  # fmt: skip
"""The stages, in the order of the graph."""
JOB_MIN = 2850
"""Longest work of a job that makes videos: two days, less the half hour in which it begins."""


@dataclass(frozen=True)
class Study:
    """What a run is about.

    Attributes:
        config: the configuration.
        sheets: name -> entry -> fields.
        released_annotations: annotations that are taken as released; none without a release.
    """

    config: Mapping[str, Any]
    sheets: Mapping[str, Mapping[str, Mapping[str, Any]]]
    released_annotations: Sequence[str] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any], released_annotations: Sequence[str] = ()) -> "Study":
        """Return the study of a configuration, checked.

        Raises:
            UserError: a key or a sheet is at fault.
        """
        folder = ROOT / "config"
        sheets = read_sheets(folder)
        check_configuration(config, sheets, folder)
        return cls(config, sheets, released_annotations)

    @cached_property
    def wanted(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """The entries that stages with rules use: (sheet, name) -> fields."""
        under = tuple(f"{stage}." for stage in self.stages)
        return wanted_entries(self.config, self.sheets, ROOT / "config", under)

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """The stages that have rules; what those before them make is given."""
        return STAGES[STAGES.index(self.config["start"]) :]

    @cached_property
    def is_release(self) -> bool:
        """Whether the released data set takes the place of exports."""
        return self.config["source"] == "release"

    @cached_property
    def generators(self) -> list[str]:
        """Every generator, in the tables' order."""
        return list(self.config["generate"]["generators"])

    @cached_property
    def scraped(self) -> list[str]:
        """Generators whose videos the exports hold."""
        return [name for name in self.generators if self.fields("generators", name).get("scraped")]

    @cached_property
    def released(self) -> list[str]:
        """Generators whose videos are taken from the release."""
        if not self.is_release:
            return []
        return [name for name in self.generators if "released" in self.fields("generators", name)]

    @cached_property
    def generated(self) -> list[str]:
        """Generators whose videos the workflow makes."""
        return [name for name in self.generators if name not in self.scraped + self.released]

    @cached_property
    def real_sources(self) -> list[str]:
        """Outside sources of real videos in TIP-ID."""
        return list(self.config["split"]["tip_id"]["real"])

    @cached_property
    def text_sources(self) -> list[str]:
        """Outside sources of videos generated from text in TIP-ID."""
        return list(self.config["split"]["tip_id"]["text_generated"])

    @cached_property
    def shards(self) -> list[str]:
        """Names of the shards of prompts and image prompts."""
        return shard_names(self.config["curate"]["shards"])

    def fields(self, sheet: str, name: str) -> Mapping[str, Any]:
        """Return an entry of a sheet as it stands there."""
        return self.sheets[sheet][name]

    def label(self, sheet: str, name: str) -> str:
        """Return how tables and figures call an entry of a sheet."""
        label = self.fields(sheet, name).get("label", name)
        return f"{label} (fast)" if sheet == "generators" and self.is_fast(name) else label

    def is_fast(self, generator: str) -> bool:
        """Return whether a generator's videos are made by its cache, which approximates."""
        wanted = self.config["generate"].get("speed") == "fast"
        return (
            wanted
            and generator in self.generated
            and "fast" in self.fields("generators", generator)
        )

    def seconds_per_video(self, generator: str) -> float:
        """Return the seconds that a generator takes for a video, or where nobody knows, may."""
        known = self.fields("generators", generator).get("seconds_per_video")
        return known or self._unknown_seconds

    @cached_property
    def _unknown_seconds(self) -> float:
        costs = yaml.safe_load((ROOT / "config" / "costs.yaml").read_text(encoding="utf-8"))
        return costs["generate_videos"]["seconds"]

    def generating_min(self, generator: str) -> float:
        """Return the minutes that all of a generator's videos take, with a tenth to spare."""
        tip_eval = self.config["split"]["tip_eval"]
        videos = self.config["generate"]["prompts"]
        videos += tip_eval["subjects"] * tip_eval["prompts_per_subject"]
        return 1.1 * self.seconds_per_video(generator) * videos / 60

    def entry(self, sheet: str, name: str) -> dict[str, Any]:
        """Return what decides an entry's numbers, as a rule's parameter.

        Beside the fields it has ``weights_content``: other weights at the same place are another
        parameter. It is there to be compared; loaders do not look at it.
        """
        fields = self.fields(sheet, name)
        decisive = {key: fields[key] for key in DECISIVE if key in fields}
        return decisive | {"weights_content": entry_content(fields)}

    def shards_of(self, generator: str) -> list[str]:
        """Return the shards of a generator's videos: scraped ones lie with their prompts.

        Those of a slow generator are so many times as the configuration says that no job takes
        more than two days, which is what clusters allow.
        """
        if generator in self.scraped:
            return self.shards
        shards = self.config["generate"]["shards"]
        if generator in self.generated:
            shards *= max(1, ceil(self.generating_min(generator) / shards / JOB_MIN))
        return shard_names(shards)

    @property
    def lots(self) -> list[dict[str, str]]:
        """Every shard of every generator's videos, as wildcards."""
        return [
            {"generator": name, "shard": shard}
            for name in self.generators
            for shard in self.shards_of(name)
        ]

    def video_shards(self, wildcards: Any) -> int:
        """Return the number of shards of the wildcard's generator's videos."""
        return len(self.shards_of(wildcards.generator))

    def video_tars(self, generator: str) -> list[str]:
        """Return all tars of a generator's videos."""
        return [f"results/videos/{generator}/{shard}.tar" for shard in self.shards_of(generator)]

    def video_indexes(self, generator: str) -> list[str]:
        """Return the indexes beside ``video_tars``, in the same order."""
        return indexes_of(self.video_tars(generator))

    def source_tars(self, source: str) -> list[str]:
        """Return the tars of an outside source: one that is there as it is, or one for each shard."""
        fields = self.fields("sources", source)
        if "tar" in fields:
            return [fields["tar"]]
        shards = shard_names(fields["layout"].get("shards", 1))
        return [f"results/sources/{source}/{shard}.tar" for shard in shards]

    def source_indexes(self, source: str) -> list[str]:
        """Return the indexes beside ``source_tars``, in the same order."""
        return indexes_of(self.source_tars(source))

    @cached_property
    def image_tars(self) -> list[str]:
        """All tars of image prompts."""
        return [f"results/images/{shard}.tar" for shard in self.shards]

    @cached_property
    def image_indexes(self) -> list[str]:
        """The indexes beside ``image_tars``, in the same order."""
        return indexes_of(self.image_tars)

    @cached_property
    def watermark_scores(self) -> list[str]:
        """The scores of all image prompts in the watermark check."""
        return [f"results/watermark/scores/{shard}.parquet" for shard in self.shards]

    def images_beside(self, shard: str, shards: int) -> list[str]:
        """Return the tars that can hold the image prompts of one of ``shards`` shards of videos.

        An id that is s modulo n is b modulo m only if s and b agree modulo gcd(n, m). With as many
        shards of images as of videos, that is one tar; with 100 and 64, sixteen.
        """
        step = gcd(len(self.shards), shards)
        return self.image_tars[int(shard) % step :: step]

    def images_of(self, wildcards: Any) -> dict[str, list[str]]:
        """Return the tars that can hold the image prompts of a shard of videos, and indexes."""
        tars = self.images_beside(wildcards.shard, self.video_shards(wildcards))
        return {"images": tars, "image_indexes": indexes_of(tars)}

    @cached_property
    def choosable(self) -> str:
        """The table of prompts of which some are animated: of a release, the animated ones."""
        return "results/released/splits.parquet" if self.is_release else "results/dataset.parquet"


def indexes_of(tars: Sequence[str]) -> list[str]:
    """Return the indexes beside tars, in the same order."""
    return [tar.removesuffix(".tar") + ".parquet" for tar in tars]


def from_root(path: str) -> str:
    """Return the path of a file of the workflow, from the working directory.

    A workflow that is moved together with its results finds the same name.
    """
    return os.path.relpath(Path(ROOT, path))
