"""Detect: where its rules find their inputs and settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.common.code import code_checksum
from scripts.common.schemas.detect import CROSS_DOMAIN, SAME_DOMAIN
from scripts.common.study import Study


@dataclass(frozen=True)
class DetectGraph:
    """What the rules of the stage ask, and others of its tables."""

    study: Study

    @property
    def detectors(self) -> list[str]:
        """The detectors of single frames, in the order of Table 3."""
        return list(self.study.config["detect"]["detectors"])

    @property
    def settings(self) -> list[str]:
        """The settings of trainings: cross domain learns from other generators, so it needs some."""
        return [SAME_DOMAIN, CROSS_DOMAIN] if len(self.study.generators) > 1 else [SAME_DOMAIN]

    @property
    def targets(self) -> list[str]:
        """The last files of the stage."""
        return ["results/detect/metrics.parquet"]

    @property
    def device(self) -> str:
        """Where the stage's models run."""
        return "auto" if self.study.config["detect"]["gpu"] else "cpu"

    @property
    def scored_sources(self) -> list[str]:
        """The sources of Table 3: it tells generators' videos from real ones."""
        return self.study.generators + self.study.real_sources

    @property
    def sources(self) -> list[str]:
        """The sources of Table 4, of all three classes."""
        return self.scored_sources + self.study.text_sources

    @property
    def frame_scores(self) -> list[str]:
        """The detectors' scores, one table of each source."""
        sources = self.scored_sources if self.detectors else []
        return [f"results/detect/scores/{source}.parquet" for source in sources]

    @property
    def class_scores(self) -> list[str]:
        """The trained classifiers' outputs, one table of each source."""
        return [f"results/detect/classes/{source}.parquet" for source in self.sources]

    def files(self, source: str) -> dict[str, Any]:
        """Return where the videos of a generator, or of an outside source, lie."""
        if source in self.study.generators:
            tars, indexes = self.study.video_tars(source), self.study.video_indexes(source)
        else:
            tars, indexes = self.study.source_tars(source), self.study.source_indexes(source)
        split = f"results/splits/tip_id/{source}.parquet"
        return {"split": split, "tars": tars, "indexes": indexes}

    def source_files(self, wildcards: Any) -> Mapping[str, Any]:
        """Return where the videos of the wildcard's source lie."""
        return self.files(wildcards.source)

    def entries(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides each detector's scores."""
        return {name: self.study.entry("detectors", name) for name in self.detectors}

    def detectors_code(self, wildcards: Any) -> str:
        """Return the checksum of what the script and the detectors' backends do."""
        fields = [self.study.fields("detectors", name) for name in self.detectors]
        return code_checksum(
            "scripts/detect/score_frames.py", *(entry["backend"] for entry in fields)
        )

    def trained_on(self, setting: str, generator: str) -> list[str]:
        """Return the sources of a training: the generator or all others, and the other classes."""
        seen = [generator]
        if setting == CROSS_DOMAIN:
            seen = [name for name in self.study.generators if name != generator]
        return seen + self.study.real_sources + self.study.text_sources

    def training_sources(self, wildcards: Any) -> dict[str, Any]:
        """Return the sources of the wildcards' training, and where their videos lie."""
        names = self.trained_on(wildcards.setting, wildcards.generator)
        return {name: self.files(name) for name in names}

    def training_files(self, wildcards: Any) -> list[str]:
        """Return every file behind ``training_sources``."""
        return list(_flat(self.training_sources(wildcards).values()))

    def training_threads(self, wildcards: Any) -> int:
        """Return a thread for each process of the training, and one for each that decodes for it."""
        processes = max(1, self.study.config["detect"]["training_gpu"])
        return processes * (1 + self._videomae["settings"]["running"]["workers"])

    def videomae_entry(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides the trained classifiers."""
        return self.study.entry("detectors", self.study.config["detect"]["videomae"])

    @property
    def videomae_backend(self) -> str:
        """The class of the trained classifiers."""
        return self._videomae["backend"]

    def tested_on(self, wildcards: Any) -> list[str]:
        """Return the weights of the classifiers that are tested on the wildcard's source.

        A generator's videos test the classifiers of both settings that are called after it; those
        of the other two classes test all.
        """
        generators = self.study.generators
        names = [wildcards.source] if wildcards.source in generators else generators
        return [
            f"results/detect/checkpoints/{setting}/{name}.safetensors"
            for setting in self.settings
            for name in names
        ]

    @property
    def _videomae(self) -> Mapping[str, Any]:
        return self.study.fields("detectors", self.study.config["detect"]["videomae"])


def _flat(sources: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for files in sources:
        yield from [files["split"], *files["tars"], *files["indexes"]]
