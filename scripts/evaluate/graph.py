"""Evaluate: where its rules find their inputs and settings."""

from dataclasses import dataclass
from typing import Any

from scripts.common.code import code_checksum
from scripts.common.errors import UserError
from scripts.common.lots import Lots
from scripts.common.schemas.evaluate import COMPONENTS
from scripts.common.study import Study

SCRIPT = "scripts/evaluate/score_videos.py"


@dataclass(frozen=True)
class EvaluateGraph:
    """What the rules of the stage ask."""

    study: Study

    @property
    def dimensions(self) -> list[str]:
        """The rows of Table 7, in its order."""
        return list(self.study.config["evaluate"]["dimensions"])

    @property
    def measured(self) -> list[str]:
        """The dimensions with a backend; any other is a row of the paper's numbers alone."""
        fields = self.study.sheets["dimensions"]
        return [name for name in self.dimensions if "backend" in fields[name]]

    @property
    def scored(self) -> list[str]:
        """Every entry by which videos are scored: the dimensions, and what the camera did."""
        return list(dict.fromkeys([*self.measured, *self.study.config["evaluate"]["camera"]]))

    @property
    def camera(self) -> dict[str, str]:
        """Component of camera motion -> the entry that measures it.

        Raises:
            UserError: a component has no entry.
        """
        names = self.study.config["evaluate"]["camera"]
        found = {
            self.study.fields("dimensions", name).get("settings", {}).get("component"): name
            for name in names
        }
        if missing := [each for each in COMPONENTS if each not in found]:
            raise UserError(
                f"evaluate.camera names no entry whose settings.component is '{missing[0]}'; add one "
                "of config/dimensions.yaml, such as those of config/config.yaml"
            )
        return {each: found[each] for each in COMPONENTS}

    @property
    def parameters(self) -> list[str]:
        """What users typed beside the prompt, where the data has it."""
        return [] if self.study.is_release else ["results/release/parameters.parquet"]

    @property
    def targets(self) -> list[str]:
        """The last files of the stage."""
        return ["results/evaluation/summary.parquet"]

    def entries(self, wildcards: Any = None) -> dict[str, Any]:
        """Return what decides each dimension's scores."""
        return {name: self.study.entry("dimensions", name) for name in self.scored}

    @property
    def scoring(self) -> Lots:
        """The scores of each shard of each generator's videos."""

        def inputs(lot: Any) -> dict[str, Any]:
            videos = f"results/videos/{lot.generator}/{lot.shard}"
            own = {"videos": f"{videos}.tar", "video_index": f"{videos}.parquet"}
            return own | self.study.images_of(lot)

        return Lots(
            wildcards=self.study.lots,
            files={"scores": "results/evaluation/{generator}/{shard}.parquet"},
            inputs=inputs,
            settings=lambda lot: {"shards": self.study.video_shards(lot)},
            together=self.study.config["evaluate"]["jobs"] == "together",
        )

    @property
    def score_tables(self) -> list[str]:
        """The scores of every generator and shard."""
        return [self.scoring.files["scores"].format(**lot) for lot in self.study.lots]

    def code(self, wildcards: Any) -> str:
        """Return the checksum of what the script and the dimensions' backends do."""
        fields = [self.study.fields("dimensions", name) for name in self.scored]
        return code_checksum(SCRIPT, *(entry["backend"] for entry in fields))
