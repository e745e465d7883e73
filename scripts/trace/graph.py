"""Trace: which models there are, what each learns from and describes, and where that lies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scripts.common.code import code_checksum
from scripts.common.identity import shard_names
from scripts.common.lots import Lots
from scripts.common.schemas.split import ALONG, SOURCE_IMAGE
from scripts.common.schemas.trace import (
    ALONG_SET,
    BACKGROUNDS,
    DISTRACTORS,
    REFERENCES,
    SOURCE_IMAGES,
    TRAINING_IMAGES,
)
from scripts.common.study import Study, indexes_of
from scripts.split.graph import SplitGraph
from scripts.trace.trained_models import Trained, trained_models

SHOWN = (TRAINING_IMAGES, SOURCE_IMAGES)
"""Image prompts that are held against each other."""

EXTRACTING = "scripts/trace/extract_features.py"
RERANKING = "scripts/trace/rerank_matches.py"


@dataclass(frozen=True)
class TraceGraph:
    """What the rules of the stage ask, and others of its models.

    A row of Table 5 is a tracer. A model is what describes pictures: a public tracer is one, the
    trained tracer is several, since across domains each generator has a model that never saw it.
    """

    study: Study
    split: SplitGraph

    @property
    def settings(self) -> Mapping[str, Any]:
        """The stage's part of the configuration."""
        return self.study.config["trace"]

    @property
    def targets(self) -> list[str]:
        """The last files of the stage."""
        return ["results/trace/metrics.parquet", "results/trace/near_duplicates.csv"]

    @cached_property
    def public(self) -> list[str]:
        """Tracers that are not trained here, but for those whose weights cannot be had."""
        return [
            name for name in self.settings["tracers"]
            if "backend" in self.study.fields("tracers", name)
        ]  # fmt: skip

    @cached_property
    def trainings(self) -> dict[str, Trained]:
        """Trained model -> what it is."""
        return trained_models(self.settings["cosface"], self.study.generators)

    @property
    def trained(self) -> list[str]:
        """Models that are trained."""
        return list(self.trainings)

    @property
    def models(self) -> list[str]:
        """All models."""
        return [*self.public, *self.trained]

    @property
    def rows(self) -> list[list[str]]:
        """Every row of Table 5 and every generator, with the model that describes its frames."""
        rows = {name: [name] * len(self.study.generators) for name in self.public}
        for model, made in self.trainings.items():
            models = [model] if made.held_out else [model] * len(self.study.generators)
            rows[made.row] = rows.get(made.row, []) + models
        return [
            [row, generator, model]
            for row, models in rows.items()
            for generator, model in zip(self.study.generators, models, strict=True)
        ]

    def held_out(self, model: str) -> str:
        """Return the generator of which a model saw nothing; none if it saw all."""
        return self.trainings[model].held_out if model in self.trainings else ""

    @property
    def cosface(self) -> dict[str, Mapping[str, Any]]:
        """The trained tracers' entries of config/tracers.yaml, by name."""
        return {name: self.study.fields("tracers", name) for name in self.settings["cosface"]}

    @property
    def trained_backends(self) -> list[str]:
        """Their classes."""
        return sorted({entry["backend"] for entry in self.cosface.values()})

    @property
    def training_frame(self) -> dict[str, Any]:
        """How training frames are kept: as the first trained tracer takes them, or larger.

        One that takes smaller ones than another reduces them once more.
        """
        recipe = next(iter(self.cosface.values()))["training"]
        kept = {"side": max(entry["settings"]["image_size"] for entry in self.cosface.values())}
        kept["interpolation"] = recipe.get("interpolation", "bicubic")
        return kept | {"jpeg_quality": recipe.get("jpeg_quality", 95)}

    @property
    def processes(self) -> int:
        """Processes that share a training: one for each GPU."""
        return max(1, self.settings["training_gpu"])

    @property
    def training_threads(self) -> int:
        """Threads of a training: each of its processes has workers that read pictures."""
        workers = (entry["training"].get("workers", 0) for entry in self.cosface.values())
        return self.processes * (1 + max(workers))

    @property
    def threads(self) -> int:
        """Threads of other jobs: beside a GPU they read pictures."""
        return 16 if self.settings["gpu"] else 1

    def frame_tars(self, generators: Iterable[str]) -> list[str]:
        """Return the tars of some generators' decoded frames."""
        return [
            f"results/trace/frames/{generator}/{shard}.tar"
            for generator in generators
            for shard in self.study.shards_of(generator)
        ]

    def decoded(self, generators: Iterable[str]) -> dict[str, list[str]]:
        """Return ``frame_tars``, and the indexes beside them in the same order."""
        tars = self.frame_tars(generators)
        return {"frames": tars, "frame_indexes": indexes_of(tars)}

    def training_frames(self, wildcards: Any) -> dict[str, list[str]]:
        """Return the decoded frames that a model learns from: all but its own generator's."""
        held_out = self.held_out(wildcards.model)
        return self.decoded(name for name in self.study.generators if name != held_out)

    def training_entry(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides a training: network, weights to begin from, recipe."""
        name = self.trainings[wildcards.model].entry
        return self.study.entry("tracers", name) | {"training": self.cosface[name]["training"]}

    @property
    def query_sets(self) -> list[str]:
        """Sets of pictures that a model describes besides references: a few thousand each."""
        background = [BACKGROUNDS] if self.settings["score_normalisation"]["weight"] else []
        return [*self.study.generators, *self.along.values(), DISTRACTORS, *background]

    @property
    def along(self) -> dict[str, str]:
        """Generator -> the set of frames along its videos; none where none are asked for."""
        wanted = self.study.config["split"]["tip_trace"]["along"]
        generators = self.study.generators if wanted["prompts"] else []
        return {name: ALONG_SET.format(name) for name in generators}

    def sets_of(self, model: str) -> list[str]:
        """Return the ``query_sets`` of a model; across domains it has one generator's frames."""
        own = self.held_out(model)
        others = set(self.study.generators) - {own} if own else set()
        others |= {self.along[name] for name in others if self.along}
        return [name for name in self.query_sets if name not in others]

    @property
    def reference_shards(self) -> list[str]:
        """Shards of the references: of a million, many."""
        return shard_names(self.settings["reference_shards"])

    def features(self, model: str, pictures: str) -> list[str]:
        """Return the features of a set of pictures by a model, shard by shard."""
        shards = self.reference_shards if pictures == REFERENCES else shard_names(1)
        return [f"results/trace/features/{model}/{pictures}/{shard}.parquet" for shard in shards]

    def query_tables(self, models: Sequence[str]) -> list[str]:
        """Return the features of all queries by some models, of which one may be a wildcard."""
        sets = [(model, name) for model in models for name in self.sets_of(model)]
        return [path for model, name in sets for path in self.features(model, name)]

    def reference_tables(self, models: Sequence[str]) -> list[str]:
        """Return the features of one shard of the references, which is a wildcard."""
        return [f"results/trace/features/{model}/references/{{shard}}.parquet" for model in models]

    @property
    def checkpoints(self) -> list[str]:
        """Weights of the trained models."""
        return [f"results/trace/checkpoints/{name}.safetensors" for name in self.trained]

    def pictures(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return of each set where its pictures are listed (``find_pictures``)."""
        lists: dict[str, dict[str, Any]] = {}
        for name in self.study.generators:
            lists[name] = self.decoded([name])
            lists[ALONG_SET.format(name)] = lists[name] | {"part": ALONG}
        for name in (REFERENCES, DISTRACTORS, TRAINING_IMAGES):
            lists[name] = {"images": f"results/splits/tip_trace/{name}.parquet"}
        most = self.settings["score_normalisation"]["max_images"]
        lists[BACKGROUNDS] = {"images": "results/splits/tip_trace/training_images.parquet"}
        lists[BACKGROUNDS] |= {"max_images": most, "seed": self.study.config["seed"]}
        lists[SOURCE_IMAGES] = lists[REFERENCES] | {"role": SOURCE_IMAGE}
        return {name: lists[name] for name in names}

    def picture_files(self, names: Sequence[str]) -> list[str]:
        """Return all files behind the pictures of some sets: lists and tars."""
        outside = {name: self.study.source_tars(self.split.outside(name))
                   for name in (REFERENCES, DISTRACTORS)}  # fmt: skip
        tars = {
            REFERENCES: [*self.study.image_tars, *outside[REFERENCES]],
            DISTRACTORS: outside[DISTRACTORS],
            **dict.fromkeys([BACKGROUNDS, *SHOWN], self.study.image_tars),
        }
        files = []
        for name, source in self.pictures(names).items():
            for kind in ("images", "frames", "frame_indexes"):
                paths = source.get(kind, [])
                files += [paths] if isinstance(paths, str) else paths
            files += tars.get(name, [])
        return list(dict.fromkeys(files))

    @property
    def together(self) -> bool:
        """Whether one job does all of what would else be a job for each model, or each shard."""
        return self.settings["jobs"] == "together"

    @property
    def decoding(self) -> Lots:
        """The frames of a generator's shard, decoded."""
        folder = "results/trace/frames/{generator}/{shard}"
        return Lots(
            wildcards=self.study.lots,
            files={"frames": f"{folder}.tar", "frame_index": f"{folder}.parquet"},
            inputs=self.videos,
            settings=lambda lot: {"shards": self.study.video_shards(lot)},
            together=self.together,
        )

    @property
    def training(self) -> Lots:
        """The trained models."""
        return Lots(
            wildcards=[{"model": model} for model in self.trained],
            files={
                "weights": "results/trace/checkpoints/{model}.safetensors",
                "training": "results/trace/training/{model}.csv",
            },
            inputs=self.training_frames,
            settings=lambda lot: {"entry": self.training_entry(lot)},
            together=self.together,
        )

    @property
    def searching(self) -> Lots:
        """The matches of each model."""
        return Lots(
            wildcards=[{"model": model} for model in self.models],
            files={"matches": "results/trace/matches/{model}.parquet"},
            inputs=self.searches,
            together=self.together,
        )

    def videos(self, wildcards: Any) -> dict[str, str]:
        """Return a shard of a generator's videos, and the list of the frames that are wanted."""
        videos = f"results/videos/{wildcards.generator}/{wildcards.shard}"
        wanted = f"results/splits/tip_trace/{wildcards.generator}.parquet"
        return {"wanted": wanted, "videos": f"{videos}.tar", "video_index": f"{videos}.parquet"}

    @property
    def described(self) -> list[str]:
        """The public models whose features a job makes: one, which is a wildcard, or all."""
        return ["{model}"] if self.settings["jobs"] == "each" else self.public

    @property
    def job(self) -> str:
        """How the logs of such a job are called."""
        return "{model}" if self.settings["jobs"] == "each" else "public"

    @property
    def duplicates_entry(self) -> dict[str, Any]:
        """What decides which pictures look alike: the tracer that describes them."""
        name = self.settings["near_duplicates"]["tracer"]
        return {name: self.study.entry("tracers", name)}

    @property
    def duplicates_backend(self) -> str:
        """The class of that tracer."""
        return self.study.fields("tracers", self.settings["near_duplicates"]["tracer"])["backend"]

    @property
    def shown(self) -> dict[str, str]:
        """Features of training prompts' and of query prompts' images, by which they are compared."""
        [model] = self.duplicates_entry
        return {name: f"results/trace/features/{model}/{name}/00000.parquet" for name in SHOWN}

    def public_entry(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides the features of the models that a job describes."""
        return {name: self.study.entry("tracers", name) for name in self._lot(wildcards)}

    @property
    def trained_entries(self) -> dict[str, Any]:
        """What decides the features of each trained model, beside its weights, which are inputs."""
        paths = zip(self.trainings.items(), self.checkpoints, strict=True)
        return {
            model: {key: self.cosface[made.entry][key] for key in ("backend", "settings")}
            | {"weights": {"path": path}}
            for (model, made), path in paths
        }

    def public_code(self, wildcards: Any) -> str:
        """Return the checksum of what the script and the models of a job do."""
        fields = (self.study.fields("tracers", name) for name in self._lot(wildcards))
        return code_checksum(EXTRACTING, *sorted({entry["backend"] for entry in fields}))

    def _lot(self, wildcards: Any) -> list[str]:
        return [wildcards.model] if hasattr(wildcards, "model") else self.public

    @property
    def reranker(self) -> str:
        """Entry of config/tracers.yaml that scores the best references anew; empty for none."""
        return self.settings["reranker"] or ""

    @property
    def reranker_entry(self) -> dict[str, Any]:
        """What decides these scores."""
        return self.study.entry("tracers", self.reranker) if self.reranker else {}

    @property
    def reranker_code(self) -> str:
        """The checksum of what gives them."""
        entry = self.reranker_entry
        return code_checksum(RERANKING, *([entry["backend"]] if entry else []))

    @property
    def reranked_sets(self) -> list[str]:
        """Sets of pictures whose matches are ranked anew, and that in which they were found."""
        return [*self.study.generators, DISTRACTORS, REFERENCES]

    @property
    def reranking(self) -> Lots:
        """The matches of each model, ranked anew."""
        return Lots(
            wildcards=[{"model": model} for model in self.models],
            files={"reranked": "results/trace/reranked/{model}.parquet"},
            inputs=lambda lot: {"matches": f"results/trace/matches/{lot.model}.parquet"},
            together=self.together,
        )

    @property
    def reranked(self) -> list[str]:
        """The matches of all models, ranked anew; none without a re-ranker."""
        models = self.models if self.reranker else []
        return [f"results/trace/reranked/{model}.parquet" for model in models]

    def searches(self, wildcards: Any) -> dict[str, list[str]]:
        """Return the features of what a model searches for, in what, and what is in common."""
        model = wildcards.model
        sets = self.sets_of(model)
        asked = [name for name in sets if name != BACKGROUNDS]
        return {
            "queries": [path for name in asked for path in self.features(model, name)],
            "references": self.features(model, REFERENCES),
            "background": self.features(model, BACKGROUNDS) if BACKGROUNDS in sets else [],
        }

    @property
    def references(self) -> list[str]:
        """Features of the references by all models."""
        return [path for model in self.models for path in self.features(model, REFERENCES)]
