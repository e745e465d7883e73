"""Generate: where its rules find their inputs and settings."""

from dataclasses import dataclass
from math import ceil
from typing import Any

from scripts.common.code import code_checksum
from scripts.common.study import Study, indexes_of


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
        """Return what makes a generator's videos; its label and licence do not."""
        return self.study.entry("generators", wildcards.generator)

    def code(self, wildcards: Any) -> str:
        """Return the checksum of what the script and the generator's backend do."""
        backend = self.study.fields("generators", wildcards.generator)["backend"]
        return code_checksum("scripts/generate/generate_videos.py", backend)

    def environment(self, wildcards: Any) -> str:
        """Return the environment of a generator: light for procedures, its own for a model."""
        name = self.study.fields("generators", wildcards.generator).get("envs", "video")
        return f"../envs/{name}.yaml"

    def runtime_min(self, wildcards: Any) -> int:
        """Return the minutes that a shard of a generator's videos takes, with a tenth to spare.

        Where the sheet does not know a video's seconds, two days of a card, four hours without.
        """
        seconds = self.study.fields("generators", wildcards.generator).get("seconds_per_video")
        if seconds is None:
            return 2880 if self.study.config["generate"]["gpu"] else 240
        tip_eval = self.study.config["split"]["tip_eval"]
        videos = self.study.config["generate"]["prompts"]
        videos += tip_eval["subjects"] * tip_eval["prompts_per_subject"]
        return 30 + ceil(1.1 * seconds * videos / self.study.video_shards(wildcards) / 60)

    def memory_mb(self, wildcards: Any) -> int:
        """Return the memory of a job: weights lie there twice on their way to a card."""
        gigabytes = self.study.fields("generators", wildcards.generator).get("weights_gb", 14)
        return 4000 + 2000 * ceil(gigabytes) if self.study.config["generate"]["gpu"] else 4000
