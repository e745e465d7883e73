"""Generate: where its rules find their inputs and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
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

    def images(self, wildcards: Any) -> Mapping[str, list[str]]:
        """Return the tars that can hold the images of a shard's prompts, and their indexes."""
        shards = self.study.config["generate"]["shards"]
        tars = self.study.images_beside(wildcards.shard, shards)
        return {"images": tars, "image_indexes": indexes_of(tars)}
