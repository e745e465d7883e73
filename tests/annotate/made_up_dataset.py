"""A made-up data set of two shards, from prompts and annotations to packed files."""

import numpy as np

from scripts.annotate.build_dataset import VALUES, build_dataset
from scripts.annotate.graph import EMBEDDINGS
from scripts.common.identity import prompt_uuid, shard_name, shard_of
from scripts.common.schemas.annotate import (
    DATASET,
    DIRECTION,
    EMBEDDED,
    IMAGE_NSFW,
    SUBJECT,
    SUBJECTS,
    TEXT_NSFW,
    embeddings,
)
from scripts.common.tables import read_table, write_table
from scripts.publish.pack_dataset import pack_dataset
from scripts.publish.pack_embeddings import pack_embeddings
from tests.annotate.made_up import write_images, write_prompts

RELEASED = "UUID Text_Prompt Image_Prompt Subject Timestamp Text_NSFW Image_NSFW UserID Direction"
TEXTS = ["cats walk", "a dog runs", "a bird without image", "zoom in", "dogs dance", "a slow fish"]
SCHEMAS = {
    "text_embedding": EMBEDDED,
    "image_embedding": EMBEDDED,
    "text_nsfw": TEXT_NSFW,
    "image_nsfw": IMAGE_NSFW,
    "subject": SUBJECT,
    "direction": DIRECTION,
}
MADE_UP = {
    "text_nsfw": {"score": 0.000803, "scores": [("toxicity", 0.000803)]},
    "image_nsfw": {"score": 0.1, "label": "Safe"},
    "subject": {"subject": "Dog"},
    "direction": {"verbs": ["walk", "run"]},
}
SHARDS = 2


class Stage:
    """The files that the data set is made from, in a folder; annotations may be changed."""

    def __init__(self, folder):
        self.folder, self.changes = folder, {}
        self.dataset = folder / "dataset.parquet"
        self.rejects = folder / "rejects" / "dataset.parquet"

    def build(self):
        names = [shard_name(shard) for shard in range(SHARDS)]
        prompts, self.tars, self.indexes = [], [], []
        annotations = {name: [] for name in VALUES}
        self.vectors = {name: [] for name in EMBEDDINGS.values()}
        for number, shard in enumerate(names):
            texts = [text for text in TEXTS if shard_of(prompt_uuid(text), SHARDS) == number]
            prompts.append(self.folder / "prompts" / f"{shard}.parquet")
            write_prompts(prompts[-1], texts, user_id="f00d")
            tar, index = write_images(self.folder / "images", shard, texts, size=(640, 360))
            self.tars.append(tar)
            self.indexes.append(index)
            for name, paths in annotations.items():
                paths.append(self.folder / name / f"{shard}.parquet")
                rows = [self.row(name, text) for text in texts if "without" not in text]
                write_table([row for row in rows if row], paths[-1], SCHEMAS[name])
            for name, paths in self.vectors.items():
                paths.append(self.folder / "vectors" / name / f"{shard}.parquet")
                rows = [self.vector_row(name, text) for text in texts if "without" not in text]
                write_table(rows, paths[-1], embeddings(4))
        subjects = self.folder / "subjects.parquet"
        row = {"variant": "Dogs", "subject": "Dog", "count": 1, "cluster": 0}
        rows = [row, row | {"variant": "Dog"}, row | {"variant": "Cats", "subject": "Cat"}]
        write_table(rows, subjects, SUBJECTS, sort_by=["variant"])
        self.annotations = annotations
        return build_dataset(
            prompts, self.indexes, annotations, subjects, self.dataset, self.rejects
        )

    def row(self, name, text):
        row = {"uuid": prompt_uuid(text), "status": "ok", "reason": None}
        row |= {"backend": "made_up"} if name in MADE_UP else {}
        return row | self.changes.get((name, text), MADE_UP.get(name, {}))

    def vector_row(self, name, text):
        uuid = prompt_uuid(text)
        return {"uuid": uuid, "embedding": vector(name, text), "backend": "made_up"}

    def rows(self):
        return {row["Text_Prompt"]: row for row in read_table(self.dataset, DATASET).to_pylist()}

    def pack(self):
        paths = [
            self.folder / "release" / "data" / f"Full-{tar.stem}-of-{SHARDS:05d}.parquet"
            for tar in self.tars
        ]
        for tar, index, path in zip(self.tars, self.indexes, paths, strict=True):
            pack_dataset(self.dataset, tar, index, path, preview_side=64, preview_quality=75)
        return paths

    def pack_embeddings(self, modality):
        vectors = self.vectors[EMBEDDINGS[modality]]
        path = self.folder / "release" / "Embedding" / f"Full_{modality}_Embedding.parquet"
        return path, pack_embeddings(self.dataset, vectors, path, modality=modality)


def vector(name, text):
    return np.float16([len(name), *list(prompt_uuid(text).encode()[:3])])
