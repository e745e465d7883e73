"""From videos to numbers: frames, features, matches, metrics, and what goes wrong between."""

import io
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from scripts.common.errors import UserError
from scripts.common.schemas.trace import FRAME_INDEX, METRICS, features_schema
from scripts.common.tables import read_table
from scripts.trace.decode_frames import decode_frames
from scripts.trace.extract_features import extract_features
from scripts.trace.match_queries import match_queries
from scripts.trace.measure_tracing import measure_tracing
from scripts.trace.picture_files import PictureFile, read_member
from tests.trace.made_up import SIDE, MadeUpTrace, move

HASH = {
    "backend": "scripts.trace.perceptual_hash:PerceptualHash",
    "settings": {"hash_size": 8},
}


class BrightnessTracer:
    """Describes a picture by nine means; fails on one it was told of."""

    dimension = 9
    calls = 0

    def __init__(self, weights=None, device="cpu", fails_on=None, gives_nan=False):
        self._fails_on, self._gives_nan = fails_on, gives_nan

    def embed(self, images):
        type(self).calls += 1
        vectors = []
        for image in images:
            if self._fails_on == "all" or image.shape[0] == self._fails_on:
                raise RuntimeError("cannot describe this one")
            small = Image.fromarray(image).convert("L").resize((3, 3), Image.Resampling.BOX)
            vector = np.asarray(small, np.float32).ravel() - 128 + 1e-3
            vectors.append(vector / np.linalg.norm(vector) * (np.nan if self._gives_nan else 1))
        return np.stack(vectors).astype(np.float32)


def brightness(**settings):
    return {"backend": f"{__name__}:BrightnessTracer", "settings": settings}


@pytest.fixture
def trace(tmp_path):
    trace = MadeUpTrace(tmp_path)
    for generator in trace.generators:
        decode(trace, generator)
    return trace


def decode(trace, generator, **changes):
    videos = trace.root / "videos" / generator / "00000.tar"
    settings = {"shards": 1, "side": 32, "interpolation": "bicubic", "jpeg_quality": 95} | changes
    return decode_frames(
        wanted=trace.root / "splits" / f"{generator}.parquet",
        videos=videos,
        video_index=videos.with_suffix(".parquet"),
        frames=trace.frames(generator),
        frame_index=trace.frames(generator).with_suffix(".parquet"),
        **settings,
    )


def features_of(trace, name, shard=0):
    return trace.root / "features" / "model" / name / f"{shard:05d}.parquet"


def extract(trace, name, entry=HASH, **changes):
    features = features_of(trace, name, changes.pop("shard", 0))
    settings = {"batch_size": 3, "ledger_root": trace.root / "ledger"} | changes
    counts = extract_features(
        [features], entries={"model": entry}, pictures=pictures(trace), **settings
    )
    return features, counts


def pictures(trace):
    frames = {name: trace.frames(name) for name in trace.generators}
    lists = {name: {"images": getattr(trace, name)} for name in ("references", "distractors")}
    lists["background"] = getattr(trace, "background", None)
    for name, tar in frames.items():
        lists[name] = {"frames": [tar], "frame_indexes": [tar.with_suffix(".parquet")]}
        lists[f"{name}-along"] = lists[name] | {"part": "along"}
    return lists


def index_of(trace, generator):
    return read_table(trace.frames(generator).with_suffix(".parquet"), FRAME_INDEX).to_pylist()


def test_frames_are_decoded_as_wanted(trace):
    rows = index_of(trace, "left")
    assert len(rows) == 2 * len(trace.train) + len(trace.queries)
    for row in rows:
        data = read_member(trace.frames("left"), row["offset"], row["size_bytes"])
        picture = Image.open(io.BytesIO(data))
        if row["part"] == "train":
            assert (picture.format, picture.size) == ("JPEG", (32, 32))
        else:
            assert (picture.format, picture.size) == ("PNG", (SIDE, SIDE))
            expected = move(trace.pictures[row["uuid"]], 1)[row["frame"]]
            assert np.abs(np.asarray(picture).astype(int) - expected).mean() < 8


def test_training_frames_are_squeezed_as_the_recipe_says(trace):
    def sizes(**changes):
        decode(trace, "left", **changes)
        rows = [row for row in index_of(trace, "left") if row["part"] == "train"]
        return [(row["size_bytes"], row["sha256"]) for row in rows]

    first = sizes()
    bilinear, rough = sizes(interpolation="bilinear"), sizes(jpeg_quality=60)
    assert all(one[1] != other[1] for one, other in zip(first, bilinear, strict=True))
    assert all(one[0] > other[0] for one, other in zip(first, rough, strict=True))
    with pytest.raises(UserError, match="'interpolation' is 'nearest'; it may be one of: bicubic"):
        decode(trace, "left", interpolation="nearest")


def test_a_shard_takes_only_its_own_frames_and_repeats_byte_by_byte(trace):
    tar = trace.frames("left")
    first = tar.read_bytes(), tar.with_suffix(".parquet").read_bytes()
    decode(trace, "left", threads=3)
    assert (tar.read_bytes(), tar.with_suffix(".parquet").read_bytes()) == first
    counts = decode(trace, "left", shards=2)
    assert 0 < counts.kept < 16
    assert counts.lost == 0
    assert {int(row["uuid"][-1], 16) % 2 for row in index_of(trace, "left")} == {0}


def test_a_broken_video_costs_only_its_own_frames(trace):
    broken = (trace.train[0], trace.queries[0])
    trace.write_generator("left", broken=broken)
    counts = decode(trace, "left")
    assert counts.rejected.total() == 3
    assert counts.kept == 13
    for row in index_of(trace, "left"):
        assert (row["status"] == "rejected") == (row["uuid"] in broken)
        assert (row["offset"] is None) == (row["uuid"] in broken)


def test_a_tar_of_videos_that_lost_members_costs_only_those(trace):
    tar = trace.root / "videos" / "left" / "00000.tar"
    rows = sorted(read_table(tar.with_suffix(".parquet")).to_pylist(), key=lambda r: r["offset"])
    lost = [row["uuid"] for row in rows[-2:]]
    tar.write_bytes(tar.read_bytes()[: rows[-2]["offset"] + 100])
    counts = decode(trace, "left")
    expected = sum(2 if uuid in trace.train else 1 for uuid in lost)
    assert counts.rejected == {"damaged_tar": expected}
    assert counts.kept == 16 - expected
    rejected = {row["uuid"] for row in index_of(trace, "left") if row["reason"]}
    assert rejected == set(lost)


def test_features_have_a_row_for_every_picture(trace):
    features, counts = extract(trace, "references")
    table = read_table(features, features_schema(64))
    assert table.column_names == features_schema(64).names
    assert table["uuid"].to_pylist() == sorted(table["uuid"].to_pylist())
    assert set(table["role"].to_pylist()) == {"source_image", "reference"}
    assert counts.kept == table.num_rows == 12
    queries, _ = extract(trace, "left")
    table = read_table(queries, features_schema(64))
    assert table["uuid"].to_pylist() == trace.queries
    assert set(table["role"].to_pylist()) == {"query"}


def test_finished_features_are_recalled_and_others_are_not(trace):
    BrightnessTracer.calls = 0
    features, _ = extract(trace, "left", brightness())
    first = features.read_bytes()
    assert BrightnessTracer.calls == 2
    extract(trace, "left", brightness())
    assert BrightnessTracer.calls == 2
    assert features.read_bytes() == first
    # another video of the same prompt has another frame
    trace.generators["left"] = 3
    trace.write_generator("left")
    decode(trace, "left")
    extract(trace, "left", brightness())
    assert BrightnessTracer.calls == 4
    assert features.read_bytes() != first


def test_other_settings_or_other_weights_at_the_same_place_recall_nothing(trace, tmp_path):
    """What a row is kept under names the whole entry, its weights by their content."""
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"first")
    entry = brightness(fails_on=1) | {"weights": {"path": str(weights)}}
    others = [
        entry | {"settings": {"fails_on": 2}},
        entry | {"weights": None},
        entry | {"backend": f"{__name__}:Dimmed"},
    ]
    BrightnessTracer.calls = 0
    for number, one in enumerate([entry, *others], start=1):
        extract(trace, "left", one)
        assert BrightnessTracer.calls == 2 * number
    extract(trace, "left", entry)
    assert BrightnessTracer.calls == 2 * 4
    weights.write_bytes(b"second")
    extract(trace, "left", entry)
    assert BrightnessTracer.calls == 2 * 5


class Dimmed(BrightnessTracer):
    def embed(self, images):
        BrightnessTracer.calls += 1
        return np.roll(super().embed(images), 1)[:, ::-1]


def test_a_picture_is_read_once_for_all_models_and_each_keeps_its_own_rows(trace, monkeypatch):
    read = []
    original = PictureFile.read
    monkeypatch.setattr(PictureFile, "read", lambda file: read.append(file.uuid) or original(file))
    names = ("left", "right")

    def describe(models):
        """The second model sees the frames of one generator only."""
        entries = {"hash": HASH, "means": brightness()}
        features = [
            trace.root / "features" / model / name / "00000.parquet"
            for name in names
            for model in models
            if (model, name) != ("means", "right")
        ]
        settings = {"batch_size": 3, "ledger_root": trace.root / "ledger", "threads": 2}
        counts = extract_features(
            features, entries={m: entries[m] for m in models}, pictures=pictures(trace), **settings
        )
        return counts, {path: path.read_bytes() for path in features}

    counts, together = describe(["hash", "means"])
    assert counts.kept == 4 + 4 + 4
    assert sorted(read) == sorted(2 * trace.queries)  # once for each set of frames
    assert len(together) == 3
    assert {pq.read_schema(path).field("embedding").type.list_size for path in together} == {9, 64}
    # Another model has only its own work to do, and what was there stays as it was.
    read.clear()
    shutil.rmtree(trace.root / "ledger")
    alone = describe(["hash"])[1]
    assert len(read) == 8
    assert describe(["hash", "means"])[1] == together
    assert len(read) == 8 + 4
    assert alone.items() <= together.items()


def test_equal_entries_under_two_names_have_the_same_rows(trace):
    features = [trace.root / "features" / name / "left" / "00000.parquet" for name in ("a", "b")]
    settings = {"batch_size": 1, "ledger_root": trace.root / "ledger"}
    for _ in range(2):
        extract_features(
            features, entries={"a": HASH, "b": HASH}, pictures=pictures(trace), **settings
        )
        assert features[0].read_bytes() == features[1].read_bytes()


def test_finished_features_are_not_kept_twice(trace):
    features, _ = extract(trace, "left")
    kept = [path for path in (trace.root / "ledger").rglob("*.parquet")]
    assert [path.name for path in kept] == ["finished.parquet"]
    assert kept[0].samefile(features)


@pytest.mark.parametrize(
    ("settings", "reason"), [({"gives_nan": True}, "not_a_number"), ({}, "undecodable")]
)
def test_pictures_that_cannot_be_described_are_named(trace, settings, reason, monkeypatch):
    if reason == "undecodable":
        monkeypatch.setattr("scripts.trace.picture_files.read_member", lambda *place: b"no picture")
        monkeypatch.setattr("scripts.trace.picture_files.sha256_of", lambda data: _Anything())
    features, counts = extract(trace, "left", brightness(**settings))
    assert counts.rejected == {reason: 4}
    table = read_table(features, features_schema(9))
    assert set(table["reason"].to_pylist()) == {reason}
    assert table["embedding"].null_count == 4


class _Anything:
    def __eq__(self, other):
        return True

    __hash__ = None


def test_a_tar_that_was_cut_short_is_named(trace):
    tar = trace.frames("left")
    last = max(row["offset"] or 0 for row in index_of(trace, "left") if row["part"] == "query")
    tar.write_bytes(tar.read_bytes()[: last + 10])
    _, counts = extract(trace, "left")
    assert counts.rejected == {"damaged_tar": 1}
    assert counts.kept == 3
    tar.unlink()
    with pytest.raises(UserError, match="is missing"):
        extract(trace, "left", brightness())


def test_a_tracer_that_fails_on_one_picture_does_the_others(trace, monkeypatch):
    odd = trace.distractors
    rows = read_table(odd).to_pylist()
    original = Image.open

    def resized(source, **settings):
        picture = original(source, **settings)
        return picture.resize((SIDE, 20)) if _is(source, rows[2]) else picture

    def _is(source, row):
        return len(source.getvalue()) == row["size_bytes"] and source.getvalue() == wanted

    wanted = read_member(rows[2]["tar"], rows[2]["offset"], rows[2]["size_bytes"])
    monkeypatch.setattr("scripts.common.pictures.Image.open", resized)
    features, counts = extract(trace, "distractors", brightness(fails_on=20))
    assert counts.rejected == {"embedding_failed": 1}
    failed = [row for row in read_table(features).to_pylist() if row["reason"]]
    assert [row["uuid"] for row in failed] == [rows[2]["uuid"]]


def test_a_tracer_that_always_fails_says_so(trace):
    with pytest.raises(
        UserError, match="model failed 4 times in a row, first with 'RuntimeError: cannot"
    ):
        extract(trace, "left", brightness(fails_on="all"))


def match(trace, generators, **changes):
    matches = trace.root / "matches" / "model.parquet"
    settings = {
        "references": [features_of(trace, "references")],
        "top_k": 5,
        "candidates": 0,
        "block_mb": 1,
        "ledger_root": trace.root / "ledger",
    }
    counts = match_queries(
        queries=[features_of(trace, name) for name in [*generators, "distractors"]],
        matches=matches,
        **settings | changes,
    )
    return matches, counts


def measure(trace, generators, tracer="hash", checkpoints=(), candidates=0, reranked=()):
    metrics = trace.root / "metrics.parquet"
    counts = measure_tracing(
        matches=[trace.root / "matches" / "model.parquet"],
        references=[features_of(trace, "references")],
        checkpoints=checkpoints,
        metrics=metrics,
        rows=[[tracer, name, "model"] for name in generators],
        top_k=5,
        candidates=candidates,
        resamples=50,
        seed=1,
        reranked=reranked,
    )
    return read_table(metrics, METRICS).to_pylist(), counts
