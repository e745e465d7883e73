"""Evaluate: where its rules find their inputs and settings."""

from dataclasses import dataclass
from typing import Any

from scripts.common.code import code_checksum
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
    def targets(self) -> list[str]:
        """The last files of the stage."""
        return ["results/evaluation/summary.parquet"]

    def entries(self, wildcards: Any = None) -> dict[str, Any]:
        """Return what decides each dimension's scores."""
        return {name: self.study.entry("dimensions", name) for name in self.measured}

    @property
    def score_tables(self) -> list[str]:
        """The scores of every generator and shard."""
        return [
            f"results/evaluation/{generator}/{shard}.parquet"
            for generator in self.study.generators
            for shard in self.study.shards_of(generator)
        ]

    def code(self, wildcards: Any) -> str:
        """Return the checksum of what the script and the dimensions' backends do."""
        fields = [self.study.fields("dimensions", name) for name in self.measured]
        return code_checksum(SCRIPT, *(entry["backend"] for entry in fields))
