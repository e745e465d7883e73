"""Split: where its rules find their inputs and settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scripts.common.lots import Lots
from scripts.common.schemas.split import IMAGE_GENERATED, REAL, TEXT_GENERATED
from scripts.common.study import Study, indexes_of

IMAGE_LISTS = ("references", "distractors", "training_images")
"""TIP-Trace's lists of pictures."""


@dataclass(frozen=True)
class SplitGraph:
    """What the rules of the stage ask, and others of TIP-ID's sources and TIP-Trace's files."""

    study: Study

    @cached_property
    def labels(self) -> dict[str, str]:
        """Every source of videos in TIP-ID -> its class, in the tables' order."""
        study = self.study
        return (
            dict.fromkeys(study.generators, IMAGE_GENERATED)
            | dict.fromkeys(study.real_sources, REAL)
            | dict.fromkeys(study.text_sources, TEXT_GENERATED)
        )

    @property
    def targets(self) -> list[str]:
        """The last files of the stage."""
        return [
            "results/splits/tip_eval/prompts.parquet",
            *self.tip_id,
            "results/splits/tip_trace/prompts.parquet",
            *self.image_lists(),
            *self.frames,
            "results/splits/leakage.csv",
            "results/splits/coverage.csv",
        ]

    @property
    def tip_id(self) -> list[str]:
        """TIP-ID's table of every source."""
        return [f"results/splits/tip_id/{source}.parquet" for source in self.labels]

    @property
    def frames(self) -> list[str]:
        """TIP-Trace's frames of every generator."""
        return [f"results/splits/tip_trace/{name}.parquet" for name in self.study.generators]

    def image_lists(self, names: Sequence[str] = IMAGE_LISTS) -> list[str]:
        """Return TIP-Trace's lists of pictures."""
        return [f"results/splits/tip_trace/{name}.parquet" for name in names]

    def outside(self, pictures: str) -> str:
        """Return the entry of config/sources.yaml with TIP-Trace's references or distractors."""
        return self.study.config["split"]["tip_trace"][pictures]

    def tars(self, source: str) -> list[str]:
        """Return the video tars of a generator or an outside source."""
        if source in self.study.generators:
            return self.study.video_tars(source)
        return self.study.source_tars(source)

    def indexes(self, source: str) -> list[str]:
        """Return the indexes beside ``tars``, in the same order."""
        return indexes_of(self.tars(source))

    @property
    def sources(self) -> dict[str, dict[str, Any]]:
        """Every source of videos -> its class, its tars and the indexes beside them."""
        return {
            source: {"label": label, "tars": self.tars(source), "indexes": self.indexes(source)}
            for source, label in self.labels.items()
        }

    @property
    def pictures(self) -> dict[str, dict[str, list[str]]]:
        """Image prompts, outside references and distractors -> their tars and indexes."""
        outside = {name: self.outside(name) for name in ("references", "distractors")}
        own = {"tars": self.study.image_tars, "indexes": self.study.image_indexes}
        return {"images": own} | {
            name: {"tars": self.tars(source), "indexes": self.indexes(source)}
            for name, source in outside.items()
        }

    @property
    def all_indexes(self) -> list[str]:
        """Every index of videos and pictures."""
        files = [*self.sources.values(), *self.pictures.values()]
        return [index for some in files for index in some["indexes"]]

    @property
    def tip_id_lots(self) -> Lots:
        """TIP-ID's sources; only the split of a generator follows from the chosen prompts."""

        def inputs(lot: Any) -> dict[str, Any]:
            generated = lot.source in self.study.generators
            chosen = "results/chosen_prompts.parquet" if generated else []
            return {"indexes": self.indexes(lot.source), "chosen": chosen}

        def settings(lot: Any) -> dict[str, Any]:
            return {"label": self.labels[lot.source], "tars": self.tars(lot.source)}

        return Lots(
            wildcards=[{"source": source} for source in self.labels],
            files={"split": "results/splits/tip_id/{source}.parquet"},
            inputs=inputs,
            settings=settings,
            together=self.together,
        )

    @property
    def frame_lots(self) -> Lots:
        """TIP-Trace's generators."""
        return Lots(
            wildcards=[{"generator": name} for name in self.study.generators],
            files={"frames": "results/splits/tip_trace/{generator}.parquet"},
            inputs=lambda lot: {"indexes": self.indexes(lot.generator)},
            settings=lambda lot: {"tars": self.tars(lot.generator)},
            together=self.together,
        )

    @property
    def together(self) -> bool:
        """Whether one job splits all sources."""
        return self.study.config["split"]["jobs"] == "together"
