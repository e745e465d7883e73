"""Maps of prompts, and what Section 5.5 makes of prompts: where their rules find their inputs."""

from dataclasses import dataclass
from typing import Any

from scripts.annotate.graph import AnnotateGraph
from scripts.common.lots import Lots
from scripts.common.schemas.analyse import DATA, GRID
from scripts.common.study import Study

OWN = "own"
CLIP = "scripts.annotate.clip_pictures:ClipPictures"
MAPS = {"text": "text prompts", "image": "image prompts"}
"""Maps of the data set alone, and what they are of."""


@dataclass(frozen=True)
class MapsGraph:
    """What the rules of maps ask."""

    study: Study
    annotate: AnnotateGraph

    @property
    def settings(self) -> dict[str, Any]:
        """Of the configuration."""
        return self.study.config["analyse"]["maps"]

    @property
    def names(self) -> list[str]:
        """Every map: two of the data set alone, and one with each other data set."""
        return [*MAPS, *self.settings["beside"]]

    @property
    def lots(self) -> Lots:
        """The maps: the points of each, and beside these what viewers read."""

        def inputs(lot: Any) -> dict[str, Any]:
            groups = self._shown(lot.map)["groups"]
            return {"files": [file for one in groups for file in [one["prompts"], *one["vectors"]]]}

        return Lots(
            wildcards=[{"map": name} for name in self.names],
            files={
                "points": "results/maps/{map}/points.parquet",
                "data": f"results/maps/{{map}}/{DATA}",
                "grid": f"results/maps/{{map}}/{GRID}",
            },
            inputs=inputs,
            settings=lambda lot: self._shown(lot.map),
            together=self.study.config["analyse"]["jobs"] == "together",
        )

    @property
    def targets(self) -> list[str]:
        """The last files."""
        return [self.points(name) for name in self.names]

    def points(self, name: str) -> str:
        """Return the points of a map."""
        return f"results/maps/{name}/points.parquet"

    @property
    def embedded(self) -> list[str]:
        """The data sets whose prompts are embedded for maps: ours too, if otherwise than these."""
        return [*[OWN] * (self.own_vectors != self._own_text), *self.settings["beside"]]

    @property
    def embedder(self) -> dict[str, Any]:
        """The entry that embeds them."""
        name = self.settings["embedder"]
        return {"name": name} | self.study.entry("annotators", name)

    @property
    def backend(self) -> str:
        """Its class."""
        return self.study.fields("annotators", self.settings["embedder"])["backend"]

    @property
    def labels(self) -> list[str]:
        """How the data sets are called."""
        return [self.label(name) for name in self.embedded]

    @property
    def own_vectors(self) -> list[str]:
        """Vectors of our text prompts that can be compared with those of others."""
        made = self.annotate.annotators["text_embedding"]
        is_same = made == self.settings["embedder"] and "text_embedding" in self.annotate.made
        return self._own_text if is_same or not self.settings["beside"] else [vectors_of(OWN)]

    @property
    def _own_text(self) -> list[str]:
        return self.annotate.vectors("text_embedding")

    # Section 5.5

    @property
    def extras(self) -> list[str]:
        """What Section 5.5 proposes: cartoons only where pictures are embedded by a CLIP."""
        files = ["similar_prompts.parquet", "prompt_filter.csv", "prompt_filter.png"]
        files += ["cartoons.csv"] * self.has_clip
        return [f"results/extras/{name}" for name in files]

    @property
    def has_clip(self) -> bool:
        """Whether texts can be compared with the embeddings of pictures."""
        backend = self.study.fields("annotators", self.clip)["backend"]
        return backend == CLIP and "image_embedding" in self.annotate.made

    @property
    def clip(self) -> str:
        """The entry that embeds pictures."""
        return self.annotate.annotators["image_embedding"]

    def prompts(self, name: str) -> str:
        """Return the table of a data set's prompts."""
        return (
            "results/dataset.parquet" if name == OWN else f"results/sources/prompts_{name}.parquet"
        )

    def _shown(self, name: str) -> dict[str, Any]:
        """Return how a map is called, and the data sets that it shows."""
        if name in MAPS:
            vectors = self.annotate.vectors(f"{name}_embedding")
            return {"label": f"TIP-I2V: {MAPS[name]}", "groups": [self._group(OWN, vectors)]}
        most = {"most": self.settings["most"]}
        own = self._group(OWN, self.own_vectors) | most
        other = self._group(name, [vectors_of(name)]) | most
        return {"label": f"TIP-I2V and {self.label(name)}", "groups": [own, other]}

    def _group(self, name: str, vectors: list[str]) -> dict[str, Any]:
        return {"label": self.label(name), "prompts": self.prompts(name), "vectors": vectors}

    def label(self, name: str) -> str:
        """Return how a data set is called."""
        return "TIP-I2V" if name == OWN else self.study.label("sources", name)


def vectors_of(name: str) -> str:
    """Return the vectors of a data set's prompts that were embedded for maps."""
    return f"results/embeddings/outside/{name}.parquet"
