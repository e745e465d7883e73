"""Publish: where its rules find their inputs and settings."""

from dataclasses import dataclass
from typing import Any

from scripts.annotate.graph import EMBEDDINGS, AnnotateGraph
from scripts.common.code import ROOT
from scripts.common.configuration import read_yaml
from scripts.common.study import Study
from scripts.common.weight_files import describe_weights

MODALITIES = tuple(EMBEDDINGS)
PACKED_EMBEDDINGS = "results/release/Embedding/Full_{modality}_Embedding.parquet"


@dataclass(frozen=True)
class PublishGraph:
    """What the rules of the stage ask."""

    study: Study
    annotate: AnnotateGraph

    @property
    def packed_shard(self) -> str:
        """The packed file of a shard of the data set."""
        return f"results/release/data/Full-{{shard}}-of-{len(self.study.shards):05d}.parquet"

    @property
    def packed_shards(self) -> list[str]:
        """The packed files of the data set."""
        return [self.packed_shard.format(shard=shard) for shard in self.study.shards]

    @property
    def packed_embeddings(self) -> list[str]:
        """The packed embeddings, one file for each modality."""
        return [PACKED_EMBEDDINGS.format(modality=modality) for modality in MODALITIES]

    @property
    def parameters(self) -> list[str]:
        """The table of what users asked for; a release has none, for it does not say."""
        return [] if self.study.is_release else ["results/release/parameters.parquet"]

    @property
    def dataset(self) -> list[str]:
        """The data set as Hugging Face datasets loads it, and what lies beside it."""
        files = [*self.packed_shards, *self.packed_embeddings, *self.parameters]
        return ["results/release/README.md", "results/release/croissant.json", *files]

    def croissant(self, wildcards: Any) -> dict[str, Any]:
        """Return what the Croissant file says beside what tables tell."""
        return read_yaml(ROOT / "config/croissant.yaml")

    def vectors(self, wildcards: Any) -> list[str]:
        """Return the tables of the embeddings of texts or of images, one for each shard."""
        return self.annotate.vectors(EMBEDDINGS[wildcards.modality])

    def annotators(self, wildcards: Any) -> dict[str, str]:
        """Return what makes each annotation, in words, for the data set's card."""
        return {annotation: self._in_words(annotation) for annotation in self.annotate.annotators}

    def _in_words(self, annotation: str) -> str:
        if annotation not in self.annotate.made:
            return "as released by the authors"
        fields = self.study.fields("annotators", self.annotate.annotators[annotation])
        return f"{fields['label']} ({describe_weights(fields.get('weights'))})"
