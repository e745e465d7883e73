"""The bias ledger of detect: where its rules find their inputs and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from scripts.detect.controls import AS_IS
from scripts.detect.graph import DetectGraph

CONTROLS = "results/detect/controls"


@dataclass(frozen=True)
class BiasGraph:
    """What the rules of the ledger ask. Its classifiers learn and are tested as those of Table 4."""

    detect: DetectGraph

    @property
    def settings(self) -> Mapping[str, Any]:
        """The section of the configuration."""
        return self.detect.study.config["detect"]["bias_ledger"]

    @property
    def _given(self) -> dict[str, dict[str, Any]]:
        """The configured controls; one that is null is left out."""
        return {name: given for name, given in self.settings["controls"].items() if given}

    @property
    def controls(self) -> dict[str, dict[str, Any]]:
        """Every control -> its settings, first the one that changes nothing."""
        return {AS_IS: {"trained": True}} | {
            name: {key: value for key, value in given.items() if key != "label"}
            for name, given in self._given.items()
        }

    @property
    def labels(self) -> dict[str, str]:
        """Every control -> what the table and the figure call it."""
        named = {name: given["label"] for name, given in self._given.items()}
        return {AS_IS: "as they are"} | named

    @property
    def animated(self) -> list[str]:
        """Controls whose videos a procedure makes of image prompts."""
        return [name for name, given in self.controls.items() if given.get("animator")]

    @property
    def trained(self) -> list[str]:
        """Controls under which classifiers learn."""
        return [name for name, given in self.controls.items() if given.get("trained")]

    def control(self, wildcards: Any) -> dict[str, Any]:
        """Return the settings of the wildcard's control."""
        return self.controls[wildcards.control]

    def animator(self, wildcards: Any) -> dict[str, Any] | None:
        """Return the entry that animates the image prompts of the wildcard's control, if one does."""
        name = self.controls[wildcards.control].get("animator")
        return name and self.detect.study.entry("generators", name)

    @property
    def backends(self) -> list[str]:
        """The classes that animate image prompts."""
        fields = self.detect.study.fields
        return [fields("generators", self.controls[name]["animator"])["backend"]
                for name in self.animated]  # fmt: skip

    def originals(self, wildcards: Any) -> dict[str, Any]:
        """Return the tars and indexes of the wildcard's source, and the image prompts it needs."""
        study = self.detect.study
        pictures = wildcards.control in self.animated
        return self.detect.files(wildcards.source) | {
            "images": study.image_tars if pictures else [],
            "image_indexes": study.image_indexes if pictures else [],
        }

    def sources(self, control: str, sources: list[str]) -> list[str]:
        """Return those of some sources that have videos under a control."""
        own = self.detect.study.generators if control in self.animated else sources
        return [name for name in sources if name in own]

    def files(self, control: str, source: str) -> dict[str, Any]:
        """Return where the videos of a source lie under a control (``Source``)."""
        videos = f"{CONTROLS}/{control}/videos/{source}"
        split = f"{CONTROLS}/{control}/tip_id/{source}.parquet"
        return {"split": split, "tars": [f"{videos}.tar"], "indexes": [f"{videos}.parquet"]}

    def of_source(self, wildcards: Any) -> dict[str, Any]:
        """Return the source that a job takes, under a name of its own for each control."""
        control, source = wildcards.control, wildcards.source
        return {f"{control}-{source}": self.files(control, source)}

    def training_sources(self, wildcards: Any) -> dict[str, Any]:
        """Return the sources of a training, as they are under its control."""
        names = self.detect.trained_on(wildcards.setting, wildcards.generator)
        return {name: self.files(wildcards.control, name) for name in names}

    def tested_on(self, wildcards: Any) -> list[str]:
        """Return the weights of the classifiers that are tested on the wildcard's source."""
        generators = self.detect.study.generators
        own = [wildcards.source] if wildcards.source in generators else generators
        # Under a control without training those are asked that learnt from unchanged videos.
        learnt = wildcards.control if wildcards.control in self.trained else AS_IS
        return self._checkpoints([learnt], own)

    @property
    def checkpoints(self) -> list[str]:
        """Weights of all classifiers of the ledger."""
        return self._checkpoints(self.trained, self.detect.study.generators)

    def _checkpoints(self, controls: list[str], generators: list[str]) -> list[str]:
        lots = product(controls, self.detect.settings, generators)
        return [f"{CONTROLS}/{control}/checkpoints/{setting}/{generator}.safetensors"
                for control, setting, generator in lots]  # fmt: skip

    def tables(self, kind: str) -> list[str]:
        """Return the tables of a kind (``formats``, ``scores``, ``classes``, ``tip_id``) of all."""
        detect = self.detect
        sources = detect.scored_sources if kind == "scores" else detect.sources
        wanted = [] if kind == "scores" and not detect.detectors else list(self.controls)
        if kind == "formats":
            wanted = [name for name in wanted if name not in self.animated]
        return [
            f"{CONTROLS}/{control}/{kind}/{source}.parquet"
            for control in wanted
            for source in self.sources(control, sources)
        ]
