"""Every annotator over one shard: who is wanted, who is rejected, and what is not done twice."""

import numpy as np
import pytest
from scripts.annotate.embed_images import embed_images
from scripts.annotate.embed_texts import embed_texts
from scripts.annotate.score_images import score_images
from scripts.annotate.score_texts import score_texts
from scripts.annotate.shard_annotation import Annotator, PictureShard, TextShard
from scripts.annotate.tag_directions import tag_directions
from scripts.annotate.tag_subjects import tag_subjects

from scripts.common.identity import prompt_uuid
from scripts.common.schemas.annotate import (
    DIRECTION,
    IMAGE_NSFW,
    SUBJECT,
    TEXT_NSFW,
    image_embeddings,
    text_embeddings,
)
from scripts.common.tables import read_table
from tests.annotate.made_up import write_images, write_prompts
from tests.annotate.scripted_backends import asked

TEXTS = ["a cat walks", "a dog runs", "a bird without image", "a horse jumps"]


@pytest.fixture
def shard(tmp_path):
    return Shard(tmp_path)


class Shard:
    """Prompts and images in a folder, and what every annotator is called with."""

    def __init__(self, folder):
        self.folder, self.record = folder, folder / "record"
        self.prompts, self.output = folder / "prompts.parquet", folder / "out" / "00000.parquet"
        self.settings = {
            "entry": {
                "name": "scripted",
                "backend": "tests.annotate.scripted_backends:Scripted",
                "settings": {"record": str(self.record)},
            },
            "batch_size": 2,
            "ledger_root": folder / "ledger",
        }
        self.write(TEXTS)

    def write(self, texts):
        write_prompts(self.prompts, texts)
        self.tar, self.index = write_images(self.folder, "00000", texts)

    def texts(self, function):
        return function(
            TextShard(self.prompts, self.index, self.output), Annotator(**self.settings)
        )

    def images(self, function):
        return function(PictureShard(self.tar, self.index, self.output), Annotator(**self.settings))

    def rows(self, schema):
        return {row["uuid"]: row for row in read_table(self.output, schema).to_pylist()}


def test_prompts_without_an_image_are_not_annotated(shard):
    counts = shard.texts(tag_subjects)
    rows = shard.rows(SUBJECT)
    assert list(rows) == sorted(prompt_uuid(text) for text in TEXTS if "without" not in text)
    assert (counts.read, counts.kept, counts.lost) == (3, 3, 0)
    assert rows[prompt_uuid("a dog runs")] == {
        "uuid": prompt_uuid("a dog runs"),
        "subject": "runs",
        "status": "ok",
        "reason": None,
        "backend": "scripted",
    }


def test_each_annotation_has_its_values(shard):
    shard.texts(embed_texts)
    vector = shard.rows(text_embeddings(4))[prompt_uuid(TEXTS[0])]["embedding"]
    assert np.linalg.norm(np.array(vector, float)) == pytest.approx(1, abs=2e-3)
    shard.images(embed_images)
    vectors = [row["embedding"] for row in shard.rows(image_embeddings(4)).values()]
    assert len({tuple(vector) for vector in vectors}) == 3
    shard.texts(score_texts)
    row = shard.rows(TEXT_NSFW)[prompt_uuid("a cat walks")]
    assert (row["score"], row["scores"]) == (1.0, [("angry", 0.5), ("rude", 1.0)])
    shard.images(score_images)
    rows = shard.rows(IMAGE_NSFW).values()
    assert all((row["label"] == "NSFW") == (row["score"] >= 0.5) for row in rows)


def test_verbs_may_be_none(shard, monkeypatch):
    monkeypatch.setattr(
        "tests.annotate.scripted_backends.Scripted.tag",
        lambda self, texts: [["walk", "run"] if "cat" in text else [] for text in texts],
    )
    shard.texts(tag_directions)
    rows = shard.rows(DIRECTION)
    assert rows[prompt_uuid("a cat walks")]["verbs"] == ["walk", "run"]
    assert rows[prompt_uuid("a dog runs")]["verbs"] == []


def test_a_finished_shard_needs_no_model(shard):
    shard.texts(score_texts)
    first = shard.output.read_bytes()
    shard.record.unlink()
    shard.output.unlink()
    shard.texts(score_texts)
    assert asked(shard.record) == []
    assert shard.output.read_bytes() == first


def test_new_prompts_alone_are_worked_on(shard):
    shard.texts(tag_subjects)
    shard.record.unlink()
    shard.write([*TEXTS, "a fish swims"])
    counts = shard.texts(tag_subjects)
    assert asked(shard.record) == ["loaded", "a fish swims"]
    assert counts.kept == 4


def test_another_setting_is_another_result(shard):
    shard.texts(tag_subjects)
    shard.record.unlink()
    shard.settings["entry"]["settings"]["dimension"] = 5
    shard.texts(tag_subjects)
    assert len(asked(shard.record)) == 4


def test_what_was_finished_before_a_crash_is_kept(shard):
    texts = sorted([*TEXTS, "crash"], key=prompt_uuid)
    shard.write(texts)
    shard.settings["batch_size"] = 1
    with pytest.raises(RuntimeError, match="out of memory"):
        shard.texts(tag_subjects)
    done = asked(shard.record)[1:-1]
    shard.record.unlink()
    with pytest.raises(RuntimeError, match="out of memory"):
        shard.texts(tag_subjects)
    assert asked(shard.record) == ["loaded", "crash"]
    before = [text for text in texts if "without" not in text]
    assert done == before[: before.index("crash")]


def test_a_rejected_item_has_a_reason_and_is_tried_again_by_the_next_run(shard):
    shard.write([*TEXTS, "please refuse"])
    counts = shard.texts(tag_subjects)
    row = shard.rows(SUBJECT)[prompt_uuid("please refuse")]
    assert (row["status"], row["reason"], row["subject"]) == ("rejected", "refused", None)
    assert counts.sentence() == "read 4 = kept 3 + rejected 1 (refused 1)"
    shard.record.unlink()
    shard.texts(tag_subjects)
    assert asked(shard.record) == ["loaded", "please refuse"]


def test_an_image_that_cannot_be_decoded_is_rejected_and_the_others_are_done(shard):
    shard.write([*TEXTS, "a broken image"])
    counts = shard.images(score_images)
    row = shard.rows(IMAGE_NSFW)[prompt_uuid("a broken image")]
    assert (row["status"], row["reason"], row["score"]) == ("rejected", "undecodable", None)
    assert (counts.read, counts.kept, dict(counts.rejected)) == (4, 3, {"undecodable": 1})


def test_an_image_that_changed_is_looked_at_again(shard):
    shard.images(embed_images)
    shard.record.unlink()
    shard.tar, shard.index = write_images(shard.folder, "00000", TEXTS, size=(64, 32))
    shard.images(embed_images)
    assert asked(shard.record) == ["loaded", "picture", "picture", "picture"]


def test_threads_prepare_pictures_and_the_model_gets_them_in_batches(shard):
    shard.settings["entry"]["backend"] = "tests.annotate.scripted_backends:Prepared"
    shard.settings |= {"workers": 3}
    texts = [f"picture number {number}" for number in range(7)] + ["a broken one"]
    shard.write(texts)
    counts = shard.images(score_images)
    assert (counts.kept, dict(counts.rejected)) == (7, {"undecodable": 1})
    notes = asked(shard.record)
    prepared = [note for note in notes if note.startswith("prepared in")]
    assert len(prepared) == 7
    assert not any("MainThread" in note for note in prepared)
    sizes = [int(note.split()[0]) for note in notes if note.endswith("at once")]
    assert sum(sizes) == 7 and max(sizes) == 2
    # The same as one thread and whole pictures give, row by row.
    alone = shard.rows(IMAGE_NSFW)
    shard.settings |= {"workers": 1, "ledger_root": shard.folder / "other"}
    shard.images(score_images)
    assert shard.rows(IMAGE_NSFW) == alone
