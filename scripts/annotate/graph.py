"""Annotate: where its rules find their inputs and settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from scripts.common.study import Study

TEXTS = ("text_embedding", "text_nsfw", "subject", "direction")
PICTURES = ("image_embedding", "image_nsfw")
"""What is said of text prompts and of image prompts: the columns of ``annotate.annotators``."""
EMBEDDINGS = {"Text": "text_embedding", "Image": "image_embedding"}
"""Modality, as the release calls it -> annotation."""


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
    def makers(self) -> Mapping[str, str]:
        """What ``annotators`` has, and the entry by whose vectors ``subjects`` are merged."""
        return {**self.annotators, "subjects": self.settings["subjects"]["embedder"]}

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
        return [name for name in self.made if self._service(name) is not None]

    def asked_by(self, rule: str, *, vectors: bool = False) -> str:
        """Return the annotations for which a rule asks an endpoint, as its wildcard's constraint.

        Args:
            rule: ``ask_endpoint``, or ``fetch_batches`` for those that come by the batch API.
            vectors: whether those are meant that have vectors, or the others.
        """
        asked = [name for name in self.asked if self.rule_of(name) == rule]
        return "|".join(n for n in asked if vectors == (n in EMBEDDINGS.values())) or "none"

    def rule_of(self, annotation: str) -> str:
        """Return the rule that makes an annotation, or takes it from the release."""
        if annotation in self.asked:
            by_batch = self._service(annotation).get("mode") == "batch"
            return "fetch_batches" if by_batch else "ask_endpoint"
        if annotation in self.made:
            return "annotate_texts" if annotation in TEXTS else "annotate_pictures"
        return "read_embeddings" if annotation in EMBEDDINGS.values() else "read_annotations"

    @cached_property
    def texts(self) -> list[str]:
        """The annotations of texts that are made on this machine."""
        return [name for name in TEXTS if name in self.made and name not in self.asked]

    @cached_property
    def pictures(self) -> list[str]:
        """The annotations of pictures that are made; models of pictures work on this machine."""
        return [name for name in PICTURES if name in self.made]

    def outputs(self, annotations: Sequence[str]) -> dict[str, str | list[str]]:
        """Return what a job makes of its shards: a table for each annotation, and the vectors."""
        files = {name: f"results/annotations/{name}/{{shard}}.parquet" for name in annotations}
        for name in EMBEDDINGS.values():
            if name in annotations:
                files["vectors"] = f"results/embeddings/{name}/{{shard}}.parquet"
        return {name: self.of_job(file) for name, file in files.items()}

    def of_job(self, file: str) -> str | list[str]:
        """Return the files of a job on this machine: of a shard, its wildcard, or of all."""
        if self.settings["jobs"] == "each":
            return file
        return [file.format(shard=shard) for shard in self.study.shards]

    def log(self, name: str) -> str:
        """Return a name with the wildcard of such a job, of a log or a benchmark."""
        return name + "/{shard}" * (self.settings["jobs"] == "each")

    def entry(self, annotation: str) -> dict[str, Any]:
        """Return what decides an annotation's rows: the question of its entry, say, but no label."""
        name = self.makers[annotation]
        question = self.study.fields("annotators", name).get("question")
        asked = {"question": self.settings[question]} if question else {}
        return {"name": name} | self.study.entry("annotators", name) | asked

    def entries(self, annotations: Sequence[str]) -> Callable[[Any], dict[str, Any]]:
        """Return what gives the entries of some annotations, as a rule's parameter."""

        def get_entries(wildcards: Any) -> dict[str, Any]:
            return {name: self.entry(name) for name in annotations}

        return get_entries

    def backends(self, annotations: Sequence[str]) -> list[str]:
        """Return the classes that make some annotations."""
        return [self._fields(name)["backend"] for name in annotations]

    def entries_of(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """Return the entry of a job's annotation, or that by which subjects are merged, by name."""
        return {_annotation(wildcards): self.entry(_annotation(wildcards))}

    # A parameter whose function asks for the resources reruns no job when it changes: neither a
    # budget nor a way of sending decides a row.

    def terms_of(self, wildcards: Any, resources: Any) -> dict[str, Any]:
        """Return how the model of an annotation is reached, and what it may cost in US dollars."""
        name = _annotation(wildcards)
        return {"service": self._service(name), "budget_usd": self.settings["budget_usd"][name]}

    def bills(self, wildcards: Any, resources: Any) -> dict[str, dict[str, Any]]:
        """Return entry and terms of each annotation behind an endpoint."""
        jobs = {name: SimpleNamespace(annotation=name) for name in self.asked}
        return {
            name: {"entry": self.entry(name), "terms": self.terms_of(job, resources)}
            for name, job in jobs.items()
        }

    def gpus(self, annotations: Sequence[str]) -> int:
        """Return the GPUs that annotations ask for: none behind an endpoint, or of stand-ins."""
        heavy = [n for n in annotations if not {"api", "package"} & set(self._weights(n))]
        return self.settings["gpu"] if heavy else 0

    @property
    def sends_subjects(self) -> int:
        """Whether subjects go to an endpoint to be embedded for merging, as a resource."""
        return int(self._service("subjects") is not None)

    @property
    def language_models(self) -> int:
        """Annotations that a language model on this machine makes."""
        tagged = [name for name in ("subject", "direction") if name in self.texts]
        return sum("package" not in self._weights(name) for name in tagged)

    def _fields(self, annotation: str) -> Mapping[str, Any]:
        return self.study.fields("annotators", self.makers[annotation])

    def _weights(self, annotation: str) -> Mapping[str, Any]:
        return self._fields(annotation).get("weights", {})

    def _service(self, annotation: str) -> Mapping[str, Any] | None:
        """Return how the model of an annotation is reached; None for one on this machine."""
        fields = self._fields(annotation)
        return fields.get("service", {}) if "api" in fields.get("weights", {}) else None


def _annotation(wildcards: Any) -> str:
    return getattr(wildcards, "annotation", "subjects")
