"""Every annotation of one shard: who is wanted, who is rejected, and what is not done twice."""

import numpy as np
import pytest

from scripts.annotate import annotate_pictures as pictures
from scripts.annotate.annotate_pictures import annotate_pictures
from scripts.annotate.annotate_texts import annotate_texts
from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.annotate import IMAGE_NSFW, REASONS, embeddings
from scripts.common.tables import read_table
from tests.annotate.made_up import write_images, write_prompts
from tests.annotate.made_up_dataset import SCHEMAS as ANNOTATED
from tests.annotate.scripted_backends import asked

TEXTS = ["a cat walks", "a dog runs", "a bird without image", "a horse jumps"]
SCHEMAS = ANNOTATED | {"vectors": embeddings(4)}


@pytest.fixture
def shard(tmp_path):
    return MadeUpShard(tmp_path)


class MadeUpShard:
    """Prompts and images in a folder, and what annotates them."""

    def __init__(self, folder):
        self.folder, self.record = folder, folder / "record"
        self.entry = {
            "name": "scripted",
            "backend": "tests.annotate.scripted_backends:Scripted",
            "settings": {"record": str(self.record)},
        }
        self.settings = {"batch_size": 2, "ledger_root": folder / "ledger"}
        self.write(TEXTS)

    def write(self, texts, **images):
        write_prompts(self.folder / "prompts.parquet", texts)
        self.tar, self.index = write_images(self.folder, "00000", texts, **images)

    def outputs(self, names):
        return {name: self.folder / "out" / f"{name}.parquet" for name in (*names, "vectors")}

    def texts(self, *names, **entries):
        entries = dict.fromkeys(names, self.entry) | entries
        outputs = {name: [path] for name, path in self.outputs(entries).items()}
        paths = ([self.folder / "prompts.parquet"], [self.index], outputs)
        return annotate_texts(*paths, entries=entries, shard="00000", **self.settings)

    def images(self, *names, **entries):
        entries = dict.fromkeys(names, self.entry) | entries
        outputs = {name: [path] for name, path in self.outputs(entries).items()}
        paths = ([self.tar], [self.index], outputs)
        return annotate_pictures(*paths, entries=entries, **self.settings)

    def rows(self, name):
        table = read_table(self.outputs([])["vectors"].with_name(f"{name}.parquet"), SCHEMAS[name])
        return {row["uuid"]: row for row in table.to_pylist()}

    def asked(self):
        """Return what the backends were asked since the last time."""
        found = asked(self.record)
        self.record.unlink(missing_ok=True)
        return found


def test_prompts_without_an_image_are_not_annotated(shard):
    counts = shard.texts("subject")
    rows = shard.rows("subject")
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
    shard.texts("text_embedding", "text_nsfw")
    vector = shard.rows("vectors")[prompt_uuid(TEXTS[0])]["embedding"]
    assert np.linalg.norm(np.array(vector, float)) == pytest.approx(1, abs=2e-3)
    row = shard.rows("text_nsfw")[prompt_uuid("a cat walks")]
    assert (row["score"], row["scores"]) == (1.0, [("angry", 0.5), ("rude", 1.0)])
    counts = shard.images("image_embedding", "image_nsfw")
    assert counts.sentence() == "read 6 = kept 6 + rejected 0"
    vectors = [row["embedding"] for row in shard.rows("vectors").values()]
    assert len({tuple(vector) for vector in vectors}) == 3
    assert [row["status"] for row in shard.rows("image_embedding").values()] == ["ok"] * 3
    rows = shard.rows("image_nsfw").values()
    assert all((row["label"] == "NSFW") == (row["score"] >= 0.5) for row in rows)


def test_verbs_may_be_none(shard, monkeypatch):
    monkeypatch.setattr(
        "tests.annotate.scripted_backends.Scripted.tag",
        lambda self, texts: [["walk", "run"] if "cat" in text else [] for text in texts],
    )
    shard.texts("direction")
    rows = shard.rows("direction")
    assert rows[prompt_uuid("a cat walks")]["verbs"] == ["walk", "run"]
    assert rows[prompt_uuid("a dog runs")]["verbs"] == []


def test_a_finished_shard_needs_no_model(shard):
    names = ("text_nsfw", "text_embedding")
    shard.texts(*names)
    outputs = shard.outputs(names).values()
    first = [path.read_bytes() for path in outputs]
    shard.asked()
    for path in outputs:
        path.unlink()
    shard.texts(*names)
    assert shard.asked() == []
    assert [path.read_bytes() for path in outputs] == first


def test_new_prompts_alone_are_worked_on(shard):
    shard.texts("subject")
    shard.asked()
    shard.write([*TEXTS, "a fish swims"])
    counts = shard.texts("subject")
    assert shard.asked() == ["loaded", "a fish swims"]
    assert counts.kept == 4


def test_another_setting_is_another_result_and_another_name_is_not(shard):
    shard.texts("subject")
    shard.asked()
    shard.texts(subject=shard.entry | {"name": "renamed"})
    assert shard.asked() == []
    assert {row["backend"] for row in shard.rows("subject").values()} == {"renamed"}
    settings = shard.entry["settings"] | {"dimension": 5}
    shard.texts(subject=shard.entry | {"settings": settings})
    assert len(shard.asked()) == 4


def test_an_odd_item_becomes_a_row_with_a_reason_and_the_others_are_done(shard):
    shard.write([*TEXTS, "break", "a fish swims"])
    shard.settings["batch_size"] = 3
    counts = shard.texts("subject", "text_embedding")
    row = shard.rows("subject")[prompt_uuid("break")]
    assert (row["status"], row["reason"], row["subject"]) == ("rejected", "annotation_failed", None)
    row = shard.rows("text_embedding")[prompt_uuid("break")]
    assert (row["status"], row["reason"]) == ("rejected", "annotation_failed")
    assert prompt_uuid("break") not in shard.rows("vectors")
    assert (counts.kept, dict(counts.rejected)) == (8, {"annotation_failed": 2})
    assert "subject-00000: " in counts.notes[0] and "ValueError: an odd one" in counts.notes[0]
    assert {row["reason"] for row in shard.rows("subject").values()} - {None} <= set(REASONS)
    shard.asked()
    shard.texts("subject")
    assert shard.asked() == ["loaded", "break"]


def test_out_of_memory_halves_the_batch(shard):
    shard.write([*TEXTS, "a large one swims", "a fish swims"])
    shard.settings["batch_size"] = 5
    assert shard.texts("subject").sentence() == "read 5 = kept 5 + rejected 0"
    sizes = [line for line in shard.asked() if line.startswith("no room")]
    assert sizes[0] == "no room for 5" and len(sizes) > 1


def test_memory_for_not_even_one_item_ends_the_job_and_keeps_the_others(shard):
    shard.write([*TEXTS, "one that is huge"])
    shard.settings["batch_size"] = 1
    with pytest.raises(UserError, match=r"subject-00000: the memory does not suffice for one item"):
        shard.texts("subject")
    done = [line for line in shard.asked() if line not in ("loaded", "one that is huge")]
    shard.write(TEXTS)
    shard.texts("subject")
    assert not set(done) & set(shard.asked())


def test_an_annotator_that_fails_on_everything_ends_the_job(shard):
    shard.write([f"break {number}" for number in range(4)])
    with pytest.raises(UserError, match=r"subject-00000 failed 4 times in a row, first with"):
        shard.texts("subject")


def test_a_rejected_item_has_a_reason_and_is_tried_again_by_the_next_run(shard):
    shard.write([*TEXTS, "please refuse"])
    counts = shard.texts("subject")
    row = shard.rows("subject")[prompt_uuid("please refuse")]
    assert (row["status"], row["reason"], row["subject"]) == ("rejected", "refused", None)
    assert counts.sentence() == "read 4 = kept 3 + rejected 1 (refused 1)"
    shard.asked()
    shard.texts("subject")
    assert shard.asked() == ["loaded", "please refuse"]


def test_an_image_that_cannot_be_decoded_is_rejected_and_the_others_are_done(shard):
    shard.write([*TEXTS, "a broken image"])
    counts = shard.images("image_nsfw", "image_embedding")
    row = shard.rows("image_nsfw")[prompt_uuid("a broken image")]
    assert (row["status"], row["reason"], row["score"]) == ("rejected", "undecodable", None)
    assert shard.rows("image_embedding")[prompt_uuid("a broken image")]["reason"] == "undecodable"
    assert (counts.read, counts.kept, dict(counts.rejected)) == (8, 6, {"undecodable": 2})


def test_an_image_that_changed_is_looked_at_again(shard):
    shard.images("image_embedding")
    shard.asked()
    shard.write(TEXTS, size=(64, 32))
    shard.images("image_embedding")
    assert shard.asked() == ["loaded", "picture", "picture", "picture"]


def test_a_picture_is_decoded_once_for_all_its_annotators(shard, monkeypatch):
    decoded = []
    decode = pictures.decode_picture
    monkeypatch.setattr(
        pictures, "decode_picture", lambda data: decoded.append(data) or decode(data)
    )
    shard.images("image_embedding", "image_nsfw")
    assert len(decoded) == len(set(decoded)) == 3
    # Another annotator of one kind redoes nothing of the other, and reads for itself alone.
    shard.asked()
    scores = shard.outputs(["image_nsfw"])["image_nsfw"].read_bytes()
    vectors = shard.rows("vectors")
    settings = shard.entry["settings"] | {"dimension": 5}
    shard.images("image_nsfw", image_embedding=shard.entry | {"settings": settings})
    assert shard.asked() == ["loaded", "picture", "picture", "picture"]
    assert len(decoded) == 6
    assert shard.outputs(["image_nsfw"])["image_nsfw"].read_bytes() == scores
    table = read_table(shard.outputs([])["vectors"], embeddings(5))
    assert table["uuid"].to_pylist() == list(vectors)


def test_pictures_of_several_shards_have_a_table_each_and_one_model(shard):
    texts = {"00000": ["a cat walks"], "00001": ["a dog runs", "a horse jumps"]}
    files = [write_images(shard.folder, name, some) for name, some in texts.items()]
    tars, indexes = zip(*files, strict=True)
    tables = [shard.folder / "out" / f"{name}.parquet" for name in texts]
    entries = {"image_nsfw": shard.entry}
    outputs = {"image_nsfw": tables}
    counts = annotate_pictures(tars, indexes, outputs, entries=entries, **shard.settings)
    assert (counts.read, counts.kept) == (3, 3)
    assert shard.asked().count("loaded") == 1
    found = [read_table(table, IMAGE_NSFW)["uuid"].to_pylist() for table in tables]
    assert found == [sorted(map(prompt_uuid, some)) for some in texts.values()]


def test_other_vectors_of_the_same_prompts_leave_the_table_of_statuses_as_it_was(shard):
    shard.images("image_embedding")
    statuses = shard.outputs(["image_embedding"])["image_embedding"].read_bytes()
    changed = shard.entry["settings"] | {"dimension": 7}
    shard.images(image_embedding=shard.entry | {"name": "other", "settings": changed})
    assert shard.outputs(["image_embedding"])["image_embedding"].read_bytes() == statuses


def test_threads_prepare_pictures_and_the_model_gets_them_in_batches(shard):
    shard.entry["backend"] = "tests.annotate.scripted_backends:Prepared"
    shard.settings |= {"threads": 3}
    shard.write([*(f"picture number {number}" for number in range(7)), "a broken one"])
    counts = shard.images("image_nsfw")
    assert (counts.kept, dict(counts.rejected)) == (7, {"undecodable": 1})
    notes = shard.asked()
    prepared = [note for note in notes if note.startswith("prepared in")]
    assert len(prepared) == 7
    assert not any("MainThread" in note for note in prepared)
    sizes = [int(note.split()[0]) for note in notes if note.endswith("at once")]
    assert sum(sizes) == 7 and max(sizes) == 2
    # The same as one thread and whole pictures give, row by row.
    alone = shard.rows("image_nsfw")
    shard.settings |= {"threads": 1, "ledger_root": shard.folder / "other"}
    shard.images("image_nsfw")
    assert shard.rows("image_nsfw") == alone
