"""Generate: where its rules find their inputs and settings."""

from dataclasses import dataclass
from math import ceil
from typing import Any

from scripts.common.code import code_checksum
from scripts.common.study import Study, indexes_of
from scripts.generate.timings import find_timing, settings_of


@dataclass(frozen=True)
class GenerateGraph:
    """What the rules of the stage ask."""

    study: Study

    @property
    def targets(self) -> list[str]:
        """The last files of the stage: all generated videos and their indexes."""
        tars = [tar for name in self.study.generated for tar in self.study.video_tars(name)]
        return tars + indexes_of(tars)

    def entry(self, wildcards: Any) -> dict[str, Any]:
        """Return what makes a generator's videos; its label and licence do not.

        Its cache is a setting like others, so that what was made without is never mixed with it.
        """
        entry = self.study.entry("generators", wildcards.generator)
        if self.study.is_fast(wildcards.generator):
            fields = self.study.fields("generators", wildcards.generator)
            entry["settings"] = settings_of(fields, fast=True)
        return entry

    def code(self, wildcards: Any) -> str:
        """Return the checksum of what the script and the generator's backend do."""
        backend = self.study.fields("generators", wildcards.generator)["backend"]
        return code_checksum("scripts/generate/generate_videos.py", backend)

    def environment(self, wildcards: Any) -> str:
        """Return the environment of a generator: light for procedures, its own for a model."""
        name = self.study.fields("generators", wildcards.generator).get("envs", "video")
        return f"../envs/{name}.yaml"

    def runtime_min(self, wildcards: Any) -> int:
        """Return the minutes that a shard of a generator's videos takes, half an hour to begin with.

        What was measured on a GPU here goes before what the sheet says. The number of shards is by
        the sheet alone: with another one, every video would lie elsewhere and be made anew.
        """
        name, shards = wildcards.generator, self.study.video_shards(wildcards)
        fields, fast = self.study.fields("generators", name), self.study.is_fast(name)
        timing = (
            find_timing(name, fields, fast=fast) if self.study.config["generate"]["gpu"] else None
        )
        share = timing.seconds / self.study.seconds_per_video(name) if timing else 1
        return 30 + ceil(share * self.study.generating_min(name) / shards)

    def memory_mb(self, wildcards: Any) -> int:
        """Return the memory of a job: weights lie there twice on their way to a card."""
        gigabytes = self.study.fields("generators", wildcards.generator).get("weights_gb", 14)
        return 4000 + 2000 * ceil(gigabytes) if self.study.config["generate"]["gpu"] else 4000
