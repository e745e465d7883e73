"""Publish: where its rules find their inputs and settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.annotate.graph import EMBEDDINGS, AnnotateGraph
from scripts.common.code import ROOT
from scripts.common.configuration import read_yaml
from scripts.common.study import Study
from scripts.common.weight_files import describe_weights

FOLDER = "results/release"
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
    def contents(self) -> list[str]:
        """What the release has beside its tables; of a release the authors have the tars."""
        return [] if self.study.is_release else self.study.config["publish"]["release"]["contents"]

    @property
    def linked(self) -> dict[str, str]:
        """Tars and indexes -> where they lie in the release, named as the authors name theirs."""
        tars = {}
        if "image_tars" in self.contents:
            tars |= {
                tar: f"image_prompt_tar/image_prompt_{_stem(tar)}" for tar in self.study.image_tars
            }
        for name in self.study.generators if "video_tars" in self.contents else ():
            folder = f"{name}_videos_tar/{name}_videos"
            tars |= {tar: f"{folder}_{_stem(tar)}" for tar in self.study.video_tars(name)}
        forms = (".tar", ".parquet")
        return {
            tar.removesuffix(".tar") + form: f"{FOLDER}/{place}{form}"
            for tar, place in tars.items()
            for form in forms
        }

    @property
    def splits(self) -> dict[str, str]:
        """Tables of the splits -> where they lie in the release."""
        study, trace = self.study, "results/splits/tip_trace"
        sources = [*study.generators, *study.real_sources, *study.text_sources]
        images = ("training_images", "references", "distractors")
        tables = {"results/splits/tip_eval/prompts.parquet": "tip_eval/prompts"}
        tables |= {f"results/splits/tip_id/{name}.parquet": f"tip_id/{name}" for name in sources}
        tables |= {
            f"{trace}/{name}.parquet": f"tip_trace/frames/{name}" for name in study.generators
        }
        tables |= {f"{trace}/{name}.parquet": f"tip_trace/images/{name}" for name in images}
        return {table: f"{FOLDER}/splits/{place}.parquet" for table, place in tables.items()}

    @property
    def videos(self) -> dict[str, str]:
        """Tars of videos -> the tables into which they are packed."""
        return {
            tar: f"{FOLDER}/videos/{name}-{_stem(tar)}.parquet"
            for name in (self.study.generators if "videos" in self.contents else ())
            for tar in self.study.video_tars(name)
        }

    @property
    def video_generators(self) -> list[str]:
        """Whose ``videos`` these are."""
        return [Path(tar).parent.name for tar in self.videos]

    @property
    def places(self) -> dict[str, str]:
        """Tar -> its name in the release."""
        linked = {tar: place for tar, place in self.linked.items() if tar.endswith(".tar")}
        return {tar: place.removeprefix(f"{FOLDER}/") for tar, place in linked.items()}

    @property
    def laid_out(self) -> list[str]:
        """What lies in the release beside its tables."""
        return [*self.linked.values(), *self.splits.values(), *self.videos.values()]

    @property
    def tables(self) -> list[str]:
        """The release's tables."""
        return [*self.packed_shards, *self.packed_embeddings, *self.parameters]

    @property
    def release(self) -> list[str]:
        """The whole release: its tables as Hugging Face datasets loads them, and the rest."""
        described = [f"{FOLDER}/{name}" for name in ("README.md", "croissant.json", "SHA256SUMS")]
        return [*described, *self.tables, *self.laid_out]

    @property
    def croissant(self) -> dict[str, Any]:
        """What the Croissant file says beside what tables and records tell."""
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


def _stem(tar: str) -> str:
    return Path(tar).stem
