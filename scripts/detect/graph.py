"""Detect: where its rules find their inputs and settings."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product
from typing import Any

from scripts.common.backends import check_entry
from scripts.common.schemas.detect import CROSS_DOMAIN, SAME_DOMAIN
from scripts.common.study import Study, indexes_of


@dataclass(frozen=True)
class DetectGraph:
    """What the rules of the stage ask, and others of its tables."""

    study: Study

    @property
    def detectors(self) -> list[str]:
        """The detectors of frames or clips that can be had, in the order of Table 3."""
        return [
            name for name in self.study.config["detect"]["detectors"] if name not in self.missing
        ]

    @cached_property
    def missing(self) -> dict[str, str]:
        """Detectors without weights -> why; none where missing weights stop a run."""
        if self.study.config["detect"]["missing_weights"] == "stop":
            return {}
        names = self.study.config["detect"]["detectors"]
        faults = {name: check_entry(name, self.study.fields("detectors", name)) for name in names}
        return {name: found[0].removesuffix(".") for name, found in faults.items() if found}

    @property
    def clip_detectors(self) -> list[str]:
        """Those of ``detectors`` that see a clip, and are fitted on training videos."""
        return [name for name in self.detectors if self.study.fields("detectors", name).get("sees")]

    @property
    def fitted(self) -> list[str]:
        """What ``clip_detectors`` have learnt, in their order."""
        return [f"results/detect/fitted/{name}.safetensors" for name in self.clip_detectors]

    def fitted_on(self, wildcards: Any) -> dict[str, Any]:
        """Return the sources from which they learn: no image-to-video model's."""
        outside = self.study.real_sources + self.study.text_sources
        return {name: self.files(name) for name in outside}

    def clip_entries(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides what each of them learns."""
        return {name: self.study.entry("detectors", name) for name in self.clip_detectors}

    @property
    def settings(self) -> list[str]:
        """The settings of trainings: cross domain learns from other generators, so it needs some."""
        return [SAME_DOMAIN, CROSS_DOMAIN] if len(self.study.generators) > 1 else [SAME_DOMAIN]

    @property
    def targets(self) -> list[str]:
        """The last files of the stage."""
        return ["results/detect/metrics.parquet"]

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
        """Return where the videos of a generator, or of an outside source, lie (``Source``)."""
        study = self.study
        tars = (study.video_tars if source in study.generators else study.source_tars)(source)
        split = f"results/splits/tip_id/{source}.parquet"
        return {"split": split, "tars": tars, "indexes": indexes_of(tars)}

    def outputs(self, pattern: str, **lots: Iterable[str]) -> str | list[str]:
        """Return a rule's outputs: a job makes one of them, or all of a lot.

        Args:
            pattern: of the files' names.
            lots: wildcard -> its values, of which one job takes all if the configuration says so.
        """
        if self.study.config["detect"]["jobs"] == "each":
            return pattern
        return [
            pattern.replace(f"{{{wildcard}}}", value)
            for wildcard, values in lots.items()
            for value in values
        ]

    def log(self, name: str, wildcard: str) -> str:
        """Return the name of the log of a rule whose jobs make ``outputs``, without its suffix."""
        return name + f"/{{{wildcard}}}" * (self.study.config["detect"]["jobs"] == "each")

    def splits(self, wildcards: Any) -> list[str]:
        """Return the tables of TIP-ID that decide which videos of a job's sources are tested."""
        (source, *more) = _lot(wildcards, "source", self.sources)
        alone = source in self.study.generators and not more
        outside = self.study.real_sources + self.study.text_sources
        names = [source, *outside] if alone else self.sources
        return [self.files(name)["split"] for name in names]

    def scored(self, wildcards: Any) -> dict[str, Any]:
        """Return the sources of Table 3 that a job takes, and where their videos lie."""
        return {name: self.files(name) for name in _lot(wildcards, "source", self.scored_sources)}

    def classified(self, wildcards: Any) -> dict[str, Any]:
        """Return the sources of Table 4 that a job takes, and where their videos lie."""
        return {name: self.files(name) for name in _lot(wildcards, "source", self.sources)}

    def entries(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides each detector's scores."""
        return {name: self.study.entry("detectors", name) for name in self.detectors}

    @property
    def backends(self) -> list[str]:
        """The classes of the detectors."""
        return [self.study.fields("detectors", name)["backend"] for name in self.detectors]

    def trained_on(self, setting: str, generator: str) -> list[str]:
        """Return the sources of a training: the generator or all others, and the other classes."""
        seen = [generator]
        if setting == CROSS_DOMAIN:
            seen = [name for name in self.study.generators if name != generator]
        return seen + self.study.real_sources + self.study.text_sources

    def trainings(self, wildcards: Any) -> dict[str, list[str]]:
        """Return the sources of each training of a job, by its name."""
        return {
            f"{wildcards.setting}-{name}": self.trained_on(wildcards.setting, name)
            for name in _lot(wildcards, "generator", self.study.generators)
        }

    def training_sources(self, wildcards: Any) -> dict[str, Any]:
        """Return all sources of a job's trainings, and where their videos lie."""
        names = dict.fromkeys(chain(*self.trainings(wildcards).values()))
        return {name: self.files(name) for name in names}

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

    @property
    def checkpoints(self) -> list[str]:
        """Weights of the trained classifiers."""
        return self._checkpoints(self.study.generators)

    @property
    def curves(self) -> list[str]:
        """Curves of their trainings, in the same order."""
        return [
            path.replace("checkpoints", "training").replace(".safetensors", ".csv")
            for path in self.checkpoints
        ]

    def tested_on(self, wildcards: Any) -> list[str]:
        """Return the weights of the classifiers that are tested on a job's sources."""
        generators = self.study.generators
        sources = _lot(wildcards, "source", self.sources)
        return self._checkpoints(sources if set(sources) <= set(generators) else generators)

    def _checkpoints(self, generators: Iterable[str]) -> list[str]:
        pairs = product(self.settings, generators)
        return [
            f"results/detect/checkpoints/{setting}/{name}.safetensors" for setting, name in pairs
        ]

    @property
    def _videomae(self) -> Mapping[str, Any]:
        return self.study.fields("detectors", self.study.config["detect"]["videomae"])


def _lot(wildcards: Any, name: str, values: list[str]) -> list[str]:
    """Return the value of a wildcard, or all where a job has none since it takes them together."""
    return [getattr(wildcards, name)] if hasattr(wildcards, name) else values


def every_file(sources: Callable[[Any], Mapping[str, Any]]) -> Callable[[Any], list[str]]:
    """Return an input function: every file behind the sources that a job takes."""

    def get_files(wildcards: Any) -> list[str]:
        found = sources(wildcards).values()
        return [path for f in found for path in (f["split"], *f["tars"], *f["indexes"])]

    return get_files
