"""The packed data set: how Hugging Face datasets reads it, its embeddings and its card."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from scripts.common.errors import UserError
from scripts.common.schemas.annotate import PACKED_DATASET, embeddings
from scripts.common.schemas.prompts import PARAMETERS
from scripts.common.tables import read_table, write_table
from scripts.publish.card import write_card
from scripts.publish.pack_dataset import encode_preview
from tests.annotate.made_up import picture
from tests.annotate.made_up_dataset import RELEASED, Stage, vector


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_embeddings_are_those_of_the_data_sets_rows_and_no_others(stage):
    failed = {"status": "rejected", "reason": "undecodable"}
    stage.changes[("image_nsfw", "a dog runs")] = failed
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
    rows = [stage.vector_row("text_embedding", "cats walk")]
    rows[0]["embedding"] = np.zeros(5, np.float16)
    write_table(rows, stage.vectors["text_embedding"][1], embeddings(5))
    with pytest.raises(UserError, match=r"00001\.parquet has embeddings of .*\[5\]"):
        stage.pack_embeddings("Text")


def test_a_row_whose_embedding_is_missing_is_no_silent_loss(stage):
    stage.build()
    whole = read_table(stage.pack_embeddings("Text")[0]).to_pylist()
    gone = read_table(stage.vectors["text_embedding"][0])["uuid"].to_pylist()
    write_table([], stage.vectors["text_embedding"][0], embeddings(4))
    packed, counts = stage.pack_embeddings("Text")
    rows = read_table(packed).to_pylist()
    assert [row["UUID"] for row in rows] == [row["UUID"] for row in whole]
    lost = {row["UUID"] for row in rows if row["Text_Embedding"] is None}
    assert lost and lost <= set(gone)
    assert counts.rejected == {"no_embedding": len(lost)} and counts.lost == 0


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
    assert write_card(card, paths, names_in(card.parent), banner="MADE UP", **settings) == 5
    loaded = datasets.load_dataset(str(card.parent), "default", cache_dir=str(tmp_path / "cache"))
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


def names_in(folder):
    """Return the names of a release's files."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    return sorted(path.relative_to(folder).as_posix() for path in files)


def test_the_card_says_what_it_is(stage, tmp_path):
    stage.build()
    packed, card = stage.pack(), tmp_path / "release" / "README.md"
    settings = {"annotators": {"text_nsfw": "Detoxify"}, "licence": "cc-by-nc-4.0"}
    for name in ("Text", "Image"):
        stage.pack_embeddings(name)
    write_card(card, packed, names_in(card.parent), banner="MADE UP", **settings)
    _, front, body = card.read_text().split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["license"] == "cc-by-nc-4.0"
    assert front["size_categories"] == ["n<1K"]
    assert front["dataset_info"]["splits"][0]["num_examples"] == 5
    assert [feature["name"] for feature in front["dataset_info"]["features"]] == RELEASED.split()
    parts = [part["config_name"] for part in front["configs"]]
    assert parts == ["default", "text_embedding", "image_embedding"]
    assert body.strip().startswith("> **MADE UP**")
    assert all(f"`{name}`" in body for name in PACKED_DATASET.names)
    assert "| text nsfw | Detoxify |" in body
    assert "| `image_embedding` | 5 | `UUID`, `Image_Embedding` (4 x float16) |" in body
    write_card(card, packed, names_in(card.parent), banner="", **settings)
    assert "MADE UP" not in card.read_text() and "camera" not in card.read_text()
    write_table([], card.parent / "parameters.parquet", PARAMETERS)
    write_card(card, packed, names_in(card.parent), banner="", **settings)
    said = card.read_text().partition("is in `parameters`")[2]
    assert all(f"| `{name}` |" in said for name in PARAMETERS.names)
