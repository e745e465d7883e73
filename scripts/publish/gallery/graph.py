"""The gallery: where its rule finds its inputs and settings."""

from dataclasses import dataclass
from typing import Any

from scripts.analyse.graph import AnalyseGraph
from scripts.common.code import ROOT
from scripts.common.schemas.detect import CROSS_DOMAIN, SAME_DOMAIN
from scripts.common.study import from_root
from scripts.publish.graph import PACKED_EMBEDDINGS, PublishGraph

SITE = "scripts/publish/gallery"


@dataclass(frozen=True)
class GalleryGraph:
    """What the rule asks: of all that the stages before it made."""

    publish: PublishGraph
    analyse: AnalyseGraph

    @property
    def inputs(self) -> dict[str, Any]:
        """The packed data set, videos, what was said of them, the leaderboard, and the pages."""
        analyse, study = self.analyse, self.analyse.study
        classes = [f"results/detect/classes/{name}.parquet" for name in study.generators]
        scores = [f"results/detect/scores/{name}.parquet" for name in study.generators]
        pages = (
            path for path in (ROOT / SITE).iterdir() if path.suffix in (".html", ".css", ".js")
        )
        return {
            "packed": self.publish.packed_shards,
            "embeddings": PACKED_EMBEDDINGS.format(modality="Text"),
            "parameters": self.publish.parameters,
            "scores": analyse.evaluate.score_tables,
            "frame_scores": scores if analyse.detect.detectors else [],
            "class_scores": classes,
            "matches": [f"results/trace/matches/{model}.parquet" for model in analyse.trace.models],
            "leaderboard": "results/tables/leaderboard.html",
            "tars": [tar for files in analyse.videos.values() for tar in files["tars"]],
            "indexes": [index for files in analyse.videos.values() for index in files["indexes"]],
            "site": sorted(from_root(f"{SITE}/{path.name}") for path in pages),
        }

    @property
    def labels(self) -> dict[str, dict[str, str]]:
        """How pages call generators, dimensions, and those who judge videos: entry -> name."""
        analyse = self.analyse
        trained, trace = analyse.videomae["label"], analyse.trace
        judges = {each["entry"]: each["label"] for each in [*analyse.detectors, *analyse.tracers]}
        judges |= {
            SAME_DOMAIN: f"{trained}, trained on the generator",
            CROSS_DOMAIN: f"{trained}, trained on the others",
        }
        for model, run in analyse.trainings.items():
            name = analyse.study.label("tracers", trace.trainings[model].entry)
            judges[model] = f"{name}, {run}"
        tables = {"generators": analyse.generators, "dimensions": analyse.dimensions}
        labels = {
            kind: {each["entry"]: each["label"] for each in entries}
            for kind, entries in tables.items()
        }
        return labels | {"judges": judges}
