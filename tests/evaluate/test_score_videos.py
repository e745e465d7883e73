"""Scoring a shard: every wanted prompt has a row, finished items are kept, odd ones do no harm."""

import numpy as np
import pyarrow as pa
import pytest

from scripts.common import engine
from scripts.common.errors import Rejected, UserError
from scripts.common.identity import prompt_uuid, shard_of
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.schemas.evaluate import REASONS, REMARKS, SCORES
from scripts.common.shards import Shard, ShardItem, write_shard
from scripts.common.tables import read_frame, table_schema, write_table
from scripts.common.video import encode_video, probe_video
from scripts.evaluate import score_videos as stage
from scripts.evaluate.score_videos import VideoShard, score_videos
from tests.evaluate.moving_pictures import pan, texture

ENTRY = {"backend": "scripts.evaluate.frame_interpolation:MotionSmoothnessEmbedded"}
TEXTS = [f"prompt {number}" for number in range(6)]
UUIDS = [prompt_uuid(text) for text in TEXTS]


def video(number, step=2):
    data = encode_video(pan(5, step + number, 32, 48), 8)
    return ShardItem(UUIDS[number], data, probe_video(data))


class Scored:
    """A generator's shard of videos, its prompts and images, and how it was scored last."""

    def __init__(self, folder):
        self.folder = folder
        self.videos = {uuid: video(number) for number, uuid in enumerate(UUIDS)}
        self.texts = dict(zip(UUIDS, TEXTS, strict=True))
        self.images = {uuid: texture(32, 48, seed) for seed, uuid in enumerate(UUIDS)}

    def score(self, entry=ENTRY, generator="sway", **settings):
        columns = [pa.field(name, pa.string()) for name in ("uuid", "prompt", "subject")]
        rows = [{"uuid": u, "prompt": t, "subject": "cat"} for u, t in self.texts.items()]
        tip_eval = self.folder / "prompts.parquet"
        write_table(rows, tip_eval, table_schema("tip_eval", "", *columns))
        videos = self.folder / "videos.tar", self.folder / "videos.parquet"
        write_shard(*videos, [self.videos[uuid] for uuid in sorted(self.videos)], "mp4")
        images = self.folder / "images.tar", self.folder / "images.parquet"
        items = [
            ShardItem(uuid, encode_png(self.images[uuid]), picture_properties(self.images[uuid]))
            for uuid in sorted(self.images)
        ]
        write_shard(*images, items, "png")
        cut = {"shard": 0, "shards": 1, "max_decoded_mb": 100}
        cut |= {name: settings.pop(name) for name in list(settings) if name in cut}
        self.counts = score_videos(
            VideoShard(tip_eval, generator, videos=Shard(*videos), images=Shard(*images), **cut),
            self.folder / "scores.parquet",
            entries=settings.pop("entries", {"smoothness": entry}),
            **{"ledger_root": self.folder / "ledger"} | settings,
        )
        frame = read_frame(self.folder / "scores.parquet", SCORES)
        assert set(frame["reason"].dropna()) <= set(REASONS)
        assert set(frame["remark"].dropna()) <= set(REMARKS)
        return frame.set_index("item")


@pytest.fixture
def shard(tmp_path):
    return Scored(tmp_path)


class Counting:
    """A dimension that notes what it was asked, and does as it is told."""

    def __init__(self, behaviour=None):
        self.asked = []
        self.behaviour = behaviour or {}

    def score(self, item):
        self.asked.append(item.prompt)
        self.item = item
        answer = self.behaviour.get(item.prompt, 0.5)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def remark(self, item):
        return "prompt_truncated" if item.prompt == TEXTS[0] else None


@pytest.fixture
def counting(monkeypatch):
    """Put a counting dimension in place of the entry's; return it."""
    dimension = Counting()
    monkeypatch.setattr(stage, "load_backend", lambda entry, **extra: dimension)
    return dimension


def test_every_video_has_its_score(shard):
    scores = shard.score()
    assert sorted(scores.index) == sorted(UUIDS)
    assert (scores["status"] == "ok").all() and (scores["metric"] == "smoothness").all()
    assert (scores["generator"] == "sway").all()
    # A faster pan is harder to guess.
    values = [scores.loc[uuid, "value"] for uuid in UUIDS]
    assert values == sorted(values, reverse=True) and len(set(values)) == len(values)
    assert shard.counts.sentence() == "read 6 = kept 6 + rejected 0"


def test_what_the_dimension_sees(shard, counting):
    shard.texts = {UUIDS[3]: TEXTS[3]}
    shard.score()
    item = counting.item
    assert item.frames.shape == (5, 32, 48, 3) and item.frames.dtype == np.uint8
    assert (item.fps, item.prompt) == (8.0, TEXTS[3])
    np.testing.assert_array_equal(item.image, shard.images[UUIDS[3]])


def test_only_prompts_of_the_shard_are_wanted(shard):
    wanted = [uuid for uuid in UUIDS if shard_of(uuid, 2) == 1]
    assert 0 < len(wanted) < len(UUIDS)
    assert sorted(shard.score(shard=1, shards=2).index) == sorted(wanted)


def test_each_missing_item_has_a_reason(shard):
    shard.videos[UUIDS[0]] = ShardItem(UUIDS[0], reason="generation_failed")
    del shard.videos[UUIDS[1]]
    del shard.images[UUIDS[2]]
    good = shard.videos[UUIDS[3]]
    shard.videos[UUIDS[3]] = ShardItem(UUIDS[3], b"no video at all", good.properties)
    big = encode_video(np.zeros((4, 200, 300, 3), np.uint8), 8)
    shard.videos[UUIDS[4]] = ShardItem(UUIDS[4], big, probe_video(big))
    scores = shard.score(max_decoded_mb=0.5)
    reasons = [scores.loc[uuid, "reason"] for uuid in UUIDS[:5]]
    assert reasons == ["generation_failed", "no_video", "no_image", "undecodable", "too_large"]
    assert scores["value"].notna().sum() == 1 and scores.loc[UUIDS[5], "status"] == "ok"
    assert shard.counts.kept == 1 and shard.counts.rejected.total() == 5 and not shard.counts.lost


def test_faults_of_single_items(shard, counting):
    counting.behaviour = {
        TEXTS[1]: Rejected("too_few_frames"),
        TEXTS[2]: float("nan"),
        TEXTS[3]: float("-inf"),
        TEXTS[4]: RuntimeError("an odd shape"),
    }
    scores = shard.score()
    reasons = [scores.loc[uuid, "reason"] for uuid in UUIDS]
    assert reasons[1:5] == ["too_few_frames", "not_a_number", "not_a_number", "scoring_failed"]
    assert scores.loc[[UUIDS[0], UUIDS[5]], "status"].tolist() == ["ok", "ok"]
    assert any("RuntimeError: an odd shape" in note for note in shard.counts.notes)
    assert "1 of prompt_truncated" in shard.counts.notes
    assert scores["remark"].notna().sum() == 1

    # The next run tries again what failed, and nothing else.
    counting.asked.clear()
    counting.behaviour = {}
    scores = shard.score()
    assert sorted(counting.asked) == TEXTS[1:5]
    assert (scores["status"] == "ok").all()
    assert scores.loc[UUIDS[0], "remark"] == "prompt_truncated"


def test_a_fault_of_all_items_is_raised(shard, counting):
    counting.behaviour = {text: RuntimeError("no kernel image") for text in TEXTS}
    with pytest.raises(UserError, match="no kernel image"):
        shard.score()


def test_missing_weights_end_the_job(shard):
    entry = {
        "backend": "scripts.evaluate.dino_features:SubjectConsistency",
        "weights": {"path": str(shard.folder / "none.pth")},
    }
    with pytest.raises(UserError, match=r"none\.pth is missing"):
        shard.score(entry)


def test_a_killed_job_resumes_at_the_next_item(shard, counting):
    order = [dict(zip(UUIDS, TEXTS, strict=True))[uuid] for uuid in sorted(UUIDS)]
    counting.behaviour = {order[3]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        shard.score()
    assert counting.asked == order[:4]
    counting.asked.clear()
    counting.behaviour = {}
    first = shard.score()
    assert counting.asked == order[3:]
    counting.asked.clear()
    assert shard.score().equals(first) and counting.asked == []


def test_what_changed_is_scored_again_and_nothing_else(shard, counting):
    shard.score()
    for change in (
        lambda: shard.videos.update({UUIDS[2]: video(2, step=9)}),
        lambda: shard.images.update({UUIDS[2]: texture(32, 48, 99)}),
    ):
        counting.asked.clear()
        change()
        shard.score()
        assert counting.asked == [TEXTS[2]]
    for other in ({"entry": ENTRY | {"settings": {"x": 1}}}, {"generator": "morph"}):
        counting.asked.clear()
        shard.score(**other)
        assert sorted(counting.asked) == TEXTS
    counting.asked.clear()
    shard.score()
    assert counting.asked == []


def test_other_weights_at_the_same_path_score_again(shard, counting, tmp_path):
    path = tmp_path / "weights.pth"
    entry = ENTRY | {"weights": {"path": str(path)}}
    for content, expected in [(b"one", 6), (b"one", 0), (b"two", 6)]:
        path.write_bytes(content)
        counting.asked.clear()
        shard.score(entry)
        assert len(counting.asked) == expected


def test_an_edit_of_what_decides_a_score_scores_again(shard, counting, monkeypatch):
    shard.score()
    original = engine.code_checksum
    monkeypatch.setattr(engine, "code_checksum", lambda *of, **how: original(*of, **how) + "edited")
    counting.asked.clear()
    shard.score()
    assert sorted(counting.asked) == TEXTS


def test_a_video_is_decoded_once_for_all_dimensions_that_want_it(shard, monkeypatch):
    decoded = []

    def counted(data, read=stage.read_frames):
        decoded.append(data)
        return read(data)

    monkeypatch.setattr(stage, "read_frames", counted)
    flow = {"backend": "scripts.evaluate.classical_flow:DynamicDegreeEmbedded"}
    scores = shard.score(entries={"smoothness": ENTRY, "flow": flow})
    assert len(decoded) == len(TEXTS) and len(scores) == 2 * len(TEXTS)
    # Another setting of one dimension decodes again, for that one alone.
    assert len(shard.score(entries={"smoothness": ENTRY})) == len(TEXTS) == len(decoded)
    shard.score(entries={"smoothness": ENTRY, "flow": flow | {"settings": {"radius": 3}}})
    assert len(decoded) == 2 * len(TEXTS)


def test_same_input_same_bytes(shard, tmp_path):
    written = []
    for folder in ("ledger", "ledger", "new_ledger"):  # made, recalled, made again
        shard.score(ledger_root=tmp_path / folder)
        written.append((tmp_path / "scores.parquet").read_bytes())
    assert written[0] == written[1] == written[2]
