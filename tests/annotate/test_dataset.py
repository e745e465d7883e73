"""The data set: its columns, its rejects, and how Hugging Face datasets reads it."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from scripts.annotate.describe_dataset import describe_dataset
from scripts.annotate.pack_dataset import encode_preview, pack_dataset
from scripts.annotate.pack_embeddings import pack_embeddings

from scripts.annotate.build_dataset import VALUES, build_dataset
from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid, shard_name, shard_of
from scripts.common.schemas.annotate import (
    DATASET,
    DATASET_REJECTS,
    DIRECTION,
    IMAGE_NSFW,
    PACKED_DATASET,
    SUBJECT,
    SUBJECTS,
    TEXT_NSFW,
    image_embeddings,
    text_embeddings,
)
from scripts.common.tables import read_table, write_table
from tests.annotate.made_up import picture, write_images, write_prompts

RELEASED = "UUID Text_Prompt Image_Prompt Subject Timestamp Text_NSFW Image_NSFW UserID Direction"
TEXTS = ["cats walk", "a dog runs", "a bird without image", "zoom in", "dogs dance", "a slow fish"]
SCHEMAS = {
    "text_embedding": text_embeddings(4),
    "image_embedding": image_embeddings(4),
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
        subjects = self.folder / "subjects.parquet"
        row = {"variant": "Dogs", "subject": "Dog", "count": 1, "cluster": 0}
        rows = [row, row | {"variant": "Dog"}, row | {"variant": "Cats", "subject": "Cat"}]
        write_table(rows, subjects, SUBJECTS, sort_by=["variant"])
        self.annotations = annotations
        return build_dataset(
            prompts, self.indexes, annotations, subjects, self.dataset, self.rejects
        )

    def row(self, name, text):
        row = {"uuid": prompt_uuid(text), "status": "ok", "reason": None, "backend": "made_up"}
        return row | self.changes.get((name, text), self.made_up(name, text))

    def made_up(self, name, text):
        if name.endswith("_embedding"):
            return {"embedding": vector(name, text)}
        return MADE_UP[name]

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
        annotations = self.annotations[f"{modality.lower()}_embedding"]
        path = self.folder / "release" / "Embedding" / f"Full_{modality}_Embedding.parquet"
        return path, pack_embeddings(self.dataset, annotations, path, modality=modality)


def vector(name, text):
    return np.float16([len(name), *list(prompt_uuid(text).encode()[:3])])


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_the_columns_are_the_released_ones(stage):
    stage.changes[("subject", "cats walk")] = {"subject": "Cats"}
    counts = stage.build()
    assert read_table(stage.dataset).column_names == RELEASED.split()
    uuid = prompt_uuid("cats walk")
    row = stage.rows()["cats walk"]
    assert row.pop("Text_NSFW") == pytest.approx(0.000803)
    assert row == {
        "UUID": uuid,
        "Text_Prompt": "cats walk",
        "Image_Prompt": f"images/{shard_name(shard_of(uuid, SHARDS))}.tar#{uuid}.png",
        "Subject": "Cat",
        "Timestamp": "2024-01-18 00:40:21",
        "Image_NSFW": "Safe",
        "UserID": "f00d",
        "Direction": "walk, run",
    }
    uuids = read_table(stage.dataset)["UUID"].to_pylist()
    assert uuids == sorted(uuids)
    assert counts.sentence() == "read 6 = kept 5 + rejected 1 (no_image 1)"


def test_a_prompt_without_subject_or_verb_is_kept(stage):
    stage.changes[("subject", "zoom in")] = {"subject": None}
    stage.changes[("direction", "zoom in")] = {"verbs": []}
    stage.build()
    row = stage.rows()["zoom in"]
    assert (row["Subject"], row["Direction"]) == (None, "")


def test_what_lacks_an_annotation_is_rejected_with_its_reason(stage):
    failed = {"status": "rejected", "reason": "malformed_answer"}
    stage.changes[("direction", "a dog runs")] = failed
    stage.changes[("subject", "a dog runs")] = failed | {"reason": "refused"}
    stage.changes[("text_embedding", "dogs dance")] = failed | {"reason": "service_failed"}
    counts = stage.build()
    rows = read_table(stage.rejects, DATASET_REJECTS).to_pylist()
    found = {row["uuid"]: (row["reason"], row["detail"]) for row in rows}
    assert found == {
        prompt_uuid("a bird without image"): ("no_image", "no_video"),
        prompt_uuid("a dog runs"): ("not_annotated", "subject: refused"),
        prompt_uuid("dogs dance"): ("not_annotated", "text_embedding: service_failed"),
    }
    assert sorted(stage.rows()) == ["a slow fish", "cats walk", "zoom in"]
    assert (counts.read, counts.kept, counts.lost) == (6, 3, 0)


def test_an_annotation_that_is_not_there_is_no_silent_loss(stage, monkeypatch):
    row = Stage.row
    monkeypatch.setattr(
        Stage,
        "row",
        lambda self, name, text: (
            None if (name, text) == ("image_nsfw", "zoom in") else row(self, name, text)
        ),
    )
    counts = stage.build()
    rows = read_table(stage.rejects, DATASET_REJECTS).to_pylist()
    details = {row["uuid"]: row["detail"] for row in rows}
    assert details[prompt_uuid("zoom in")] == "image_nsfw: not there"
    assert counts.lost == 0


def test_the_same_input_gives_the_same_bytes(stage):
    stage.build()
    first = [stage.dataset.read_bytes(), *(path.read_bytes() for path in stage.pack())]
    stage.build()
    assert [stage.dataset.read_bytes(), *(path.read_bytes() for path in stage.pack())] == first


def test_embeddings_are_those_of_the_data_sets_rows_and_no_others(stage):
    stage.changes[("subject", "a dog runs")] = {"status": "rejected", "reason": "refused"}
    stage.build()
    stage.pack()
    for modality in ("Text", "Image"):
        path, counts = stage.pack_embeddings(modality)
        assert counts.sentence() == "read 4 = kept 4 + rejected 0"
        table = pq.read_table(path, partitioning=None)
        assert table.schema.field(1).type == pa.list_(
            pa.field("element", pa.float16(), nullable=False), 4
        )
        found = dict(zip(table["UUID"].to_pylist(), table[1].to_pylist(), strict=True))
        assert found == {
            row["UUID"]: vector(f"{modality.lower()}_embedding", text).tolist()
            for text, row in stage.rows().items()
        }


def test_embeddings_of_several_lengths_are_refused(stage):
    stage.build()
    rows = [stage.row("text_embedding", "cats walk") | {"embedding": np.zeros(5, np.float16)}]
    path = stage.annotations["text_embedding"][1]
    write_table(rows, path, text_embeddings(5))
    with pytest.raises(UserError, match=r"00001\.parquet has embeddings of .*\[5\]"):
        stage.pack_embeddings("Text")


def test_previews_keep_their_shape_and_are_never_enlarged():
    preview = Image.open(io.BytesIO(encode_preview(picture("cat", 640, 360), 64, 75)))
    assert (preview.format, preview.size) == ("JPEG", (64, 36))
    preview = Image.open(io.BytesIO(encode_preview(picture("cat", 48, 32), 64, 75)))
    assert preview.size == (48, 32)


def test_hugging_face_datasets_gives_pictures(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    stage.changes[("subject", "zoom in")] = {"subject": None}
    stage.build()
    paths = stage.pack()
    card = tmp_path / "release" / "README.md"
    settings = {"annotators": {"text_nsfw": "Detoxify"}, "licence": "cc-by-nc-4.0"}
    embeddings, _ = stage.pack_embeddings("Image")
    counts = describe_dataset(paths, [embeddings], card, banner="MADE UP", **settings)
    assert counts.kept == 5
    loaded = datasets.load_dataset(str(card.parent), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["Full"]
    table = loaded["Full"]
    assert table.column_names == RELEASED.split()
    assert str(table.features["Image_Prompt"]).startswith("Image")
    assert table.features["Text_NSFW"].dtype == "float32"
    rows = {row["Text_Prompt"]: row for row in table}
    assert sorted(rows) == sorted(stage.rows())
    found = rows["cats walk"]["Image_Prompt"]
    assert found.size == (64, 36)
    expected = Image.fromarray(picture("cats walk", 640, 360)).resize((64, 36))
    assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).mean() < 6
    assert rows["zoom in"]["Subject"] is None
    vectors = pd.read_parquet(embeddings)
    assert list(vectors["UUID"]) == table["UUID"]  # row by row


def test_the_card_says_what_it_is(stage, tmp_path):
    stage.build()
    card = tmp_path / "release" / "README.md"
    settings = {"annotators": {"text_nsfw": "Detoxify"}, "licence": "cc-by-nc-4.0"}
    embeddings = [stage.pack_embeddings(name)[0] for name in ("Text", "Image")]
    describe_dataset(stage.pack(), embeddings, card, banner="MADE UP", **settings)
    _, front, body = card.read_text().split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["license"] == "cc-by-nc-4.0"
    assert front["size_categories"] == ["n<1K"]
    assert front["dataset_info"]["splits"][0]["num_examples"] == 5
    assert [feature["name"] for feature in front["dataset_info"]["features"]] == RELEASED.split()
    assert body.strip().startswith("> **MADE UP**")
    assert all(f"`{name}`" in body for name in PACKED_DATASET.names)
    assert "| text nsfw | Detoxify |" in body
    assert "| `Embedding/Full_Image_Embedding.parquet` | `Image_Embedding` | 4 x float16 |" in body
    describe_dataset(stage.pack(), embeddings, card, banner="", **settings)
    assert "MADE UP" not in card.read_text()
