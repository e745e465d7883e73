"""The data set: its columns and its rejects."""

import pytest

from scripts.common.identity import prompt_uuid, shard_name, shard_of
from scripts.common.schemas.annotate import DATASET_REJECTS
from scripts.common.tables import read_table
from tests.annotate.made_up_dataset import RELEASED, SHARDS, Stage


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


def test_what_a_model_would_not_answer_is_null_and_its_row_stays(stage):
    """Unsafe prompts are the ones that models refuse; the paper keeps them."""
    failed = {"status": "rejected", "subject": None}
    stage.changes[("subject", "a dog runs")] = failed | {"reason": "refused"}
    failed = {"status": "rejected", "verbs": None}
    stage.changes[("direction", "a dog runs")] = failed | {"reason": "malformed_answer"}
    stage.changes[("direction", "zoom in")] = failed | {"reason": "refused"}
    counts = stage.build()
    rows = stage.rows()
    assert (rows["a dog runs"]["Subject"], rows["a dog runs"]["Direction"]) == (None, None)
    assert rows["zoom in"]["Direction"] is None and rows["zoom in"]["Subject"] is not None
    assert counts.notes == [
        "1 kept without direction: malformed_answer",
        "1 kept without direction: refused",
        "1 kept without subject: refused",
    ]
    assert (counts.kept, counts.rejected) == (5, {"no_image": 1})


def test_only_a_missing_picture_removes_a_row(stage):
    failed = {"status": "rejected"}
    stage.changes[("image_nsfw", "a dog runs")] = failed | {"reason": "undecodable"}
    stage.changes[("image_nsfw", "zoom in")] = failed | {"reason": "annotation_failed"}
    stage.changes[("text_nsfw", "zoom in")] = failed | {"reason": "refused"}
    stage.changes[("text_embedding", "dogs dance")] = failed | {"reason": "refused"}
    counts = stage.build()
    rows = read_table(stage.rejects, DATASET_REJECTS).to_pylist()
    found = {row["uuid"]: (row["reason"], row["detail"]) for row in rows}
    assert found == {
        prompt_uuid("a bird without image"): ("no_image", "no_video"),
        prompt_uuid("a dog runs"): ("not_annotated", "image_nsfw: undecodable"),
    }
    row = stage.rows()["zoom in"]
    assert (row["Image_NSFW"], row["Text_NSFW"], row["Direction"]) == (None, None, "walk, run")
    assert "dogs dance" in stage.rows()
    assert counts.notes == [
        "1 kept without image_nsfw: annotation_failed",
        "1 kept without text_embedding: refused",
        "1 kept without text_nsfw: refused",
    ]
    assert (counts.read, counts.kept, counts.lost) == (6, 4, 0)


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
