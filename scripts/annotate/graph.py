"""Annotate: where its rules find their inputs and settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scripts.common.code import code_checksum
from scripts.common.study import Study

TEXTS = ("text_embedding", "text_nsfw", "subject", "direction")
PICTURES = ("image_embedding", "image_nsfw")
"""What is said of text prompts and of image prompts: the columns of ``annotate.annotators``."""
EMBEDDINGS = {"Text": "text_embedding", "Image": "image_embedding"}
"""Modality, as the release calls it -> annotation."""

_LANGUAGE_MODELS = ("subject", "direction")
"""Annotations that a language model of the hub may make."""


@dataclass(frozen=True)
class AnnotateGraph:
    """What the rules of the stage ask."""

    study: Study

    @property
    def settings(self) -> Mapping[str, Any]:
        """The stage's part of the configuration."""
        return self.study.config["annotate"]

    @property
    def annotators(self) -> Mapping[str, str]:
        """Annotation -> the entry of config/annotators.yaml that makes it."""
        return self.settings["annotators"]

    @property
    def embedder(self) -> str:
        """The entry that embeds subjects, by which their variants are merged."""
        return self.settings["subjects"]["embedder"]

    @property
    def device(self) -> str:
        """Where models on this machine work."""
        return "auto" if self.settings["gpu"] else "cpu"

    @property
    def targets(self) -> list[str]:
        """The last files of the stage."""
        return ["results/dataset.parquet"]

    def tables(self, annotation: str) -> list[str]:
        """Return the tables of an annotation, one for each shard; of an embedding, its statuses."""
        return [f"results/annotations/{annotation}/{shard}.parquet" for shard in self.study.shards]

    def vectors(self, annotation: str) -> list[str]:
        """Return the tables of the vectors of an embedding, one for each shard."""
        return [f"results/embeddings/{annotation}/{shard}.parquet" for shard in self.study.shards]

    @cached_property
    def made(self) -> list[str]:
        """The annotations that were not released.

        No rule makes the others: it would step in, at a price, where a released file is missing.
        """
        return [name for name in self.annotators if name not in self.study.released_annotations]

    @cached_property
    def asked(self) -> list[str]:
        """The annotations that are made behind an endpoint."""
        return [name for name in self.made if self.is_remote(self.annotators[name])]

    @cached_property
    def texts(self) -> list[str]:
        """The annotations of texts that are made on this machine."""
        return [name for name in TEXTS if name in self.made and name not in self.asked]

    @cached_property
    def pictures(self) -> list[str]:
        """The annotations of pictures that are made; models of pictures work on this machine."""
        return [name for name in PICTURES if name in self.made]

    def outputs(self, annotations: Sequence[str]) -> dict[str, str]:
        """Return what a rule makes of a shard: a table for each annotation, and the vectors."""
        outputs = {name: f"results/annotations/{name}/{{shard}}.parquet" for name in annotations}
        for name in EMBEDDINGS.values():
            if name in annotations:
                outputs["vectors"] = f"results/embeddings/{name}/{{shard}}.parquet"
        return outputs

    def is_remote(self, name: str) -> bool:
        """Return whether an entry works behind an endpoint."""
        return "api" in self._weights(name)

    def entry(self, name: str) -> dict[str, Any]:
        """Return what decides an entry's rows: its question, say, but not its label."""
        entry = self.study.entry("annotators", name) | {"name": name}
        question = self.study.fields("annotators", name).get("question")
        return entry | ({"question": self.settings[question]} if question else {})

    def text_entries(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides each annotation of texts on this machine."""
        return {name: self.entry(self.annotators[name]) for name in self.texts}

    def picture_entries(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides each annotation of pictures."""
        return {name: self.entry(self.annotators[name]) for name in self.pictures}

    def asked_entry(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides an annotation behind an endpoint."""
        return self.entry(self.annotators[wildcards.annotation])

    def merging_entry(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides the vectors by which subjects are merged."""
        return self.entry(self.embedder)

    def text_code(self, wildcards: Any) -> str:
        """Return the checksum of what ``annotate_texts`` and its annotators do."""
        return self._code("annotate_texts", map(self.annotators.get, self.texts))

    def picture_code(self, wildcards: Any) -> str:
        """Return the checksum of what ``annotate_pictures`` and its annotators do."""
        return self._code("annotate_pictures", map(self.annotators.get, self.pictures))

    def asked_code(self, wildcards: Any) -> str:
        """Return the checksum of what ``ask_endpoint`` and the annotation's class do."""
        return self._code("ask_endpoint", [self.annotators[wildcards.annotation]])

    def estimate_code(self, wildcards: Any) -> str:
        """Return the checksum of what estimates costs: what is asked decides them."""
        return self._code("estimate_costs", map(self.annotators.get, self.asked))

    def merging_code(self, wildcards: Any) -> str:
        """Return the checksum of what merges subjects, and of what embeds them."""
        return self._code("merge_subjects", [self.embedder])

    # A parameter whose function asks for the resources reruns no job when it changes: neither a
    # budget nor a way of sending decides a row.

    def asked_service(self, wildcards: Any, resources: Any) -> Mapping[str, Any] | None:
        """Return how an annotation's endpoint is reached and paid for."""
        return self._service(self.annotators[wildcards.annotation])

    def asked_budget(self, wildcards: Any, resources: Any) -> float:
        """Return what an annotation may cost in US dollars."""
        return self.settings["budget_usd"][wildcards.annotation]

    def merging_service(self, wildcards: Any, resources: Any) -> Mapping[str, Any] | None:
        """Return how the endpoint of the subjects' vectors is reached; None on this machine."""
        return self._service(self.embedder)

    def merging_budget(self, wildcards: Any, resources: Any) -> float:
        """Return what the subjects' vectors may cost in US dollars."""
        return self.settings["budget_usd"]["subjects"]

    def bills(self, wildcards: Any, resources: Any) -> dict[str, dict[str, Any]]:
        """Return entry, service and budget of each annotation behind an endpoint."""
        return {
            annotation: {
                "entry": self.entry(self.annotators[annotation]),
                "service": self._service(self.annotators[annotation]),
                "budget_usd": self.settings["budget_usd"][annotation],
            }
            for annotation in self.asked
        }

    def gpus(self, annotators: Iterable[str]) -> int:
        """Return the GPUs that entries ask for: none behind an endpoint, or for stand-ins."""
        heavy = [n for n in annotators if not {"api", "package"} & set(self._weights(n))]
        return self.settings["gpu"] if heavy else 0

    @property
    def language_models(self) -> int:
        """Annotations that a language model on this machine makes."""
        names = [self.annotators[name] for name in self.texts if name in _LANGUAGE_MODELS]
        return sum("package" not in self._weights(name) for name in names)

    @property
    def text_memory_mb(self) -> int:
        """The memory of ``annotate_texts``: a language model passes through it to the GPU."""
        return 32000 if self.language_models else 4000

    def asked_runtime(self, wildcards: Any) -> int:
        """Return the minutes that an annotation takes: a batch at an endpoint may take a day."""
        service = self._service(self.annotators[wildcards.annotation]) or {}
        return 1500 if service.get("mode") == "batch" else 720

    def _weights(self, name: str) -> Mapping[str, Any]:
        return self.study.fields("annotators", name).get("weights", {})

    def _service(self, name: str) -> Mapping[str, Any] | None:
        fields = self.study.fields("annotators", name)
        return fields.get("service", {}) if self.is_remote(name) else None

    def _code(self, script: str, annotators: Iterable[str]) -> str:
        backends = (self.study.fields("annotators", name)["backend"] for name in annotators)
        return code_checksum(f"scripts/annotate/{script}.py", *backends)
