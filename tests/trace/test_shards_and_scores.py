"""Features in shards, searches that are recalled, and scores that are normalised."""

import csv
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scripts.trace.match_queries as matching
from scripts.common.errors import UserError
from scripts.common.schemas.split import TRACE_IMAGES
from scripts.common.schemas.trace import MATCHES, features_schema
from scripts.common.tables import read_table, write_table
from scripts.trace.extract_features import extract_features
from scripts.trace.feature_tables import read_vectors
from scripts.trace.find_near_duplicates import find_near_duplicates
from scripts.trace.picture_files import find_pictures, first_of_range
from tests.trace.made_up import MadeUpTrace
from tests.trace.test_features_to_metrics import (
    HASH,
    brightness,
    decode,
    extract,
    features_of,
    match,
    measure,
)


@pytest.fixture
def trace(tmp_path):
    trace = MadeUpTrace(tmp_path)
    for generator in trace.generators:
        decode(trace, generator)
    for name in (*trace.generators, "distractors", "references"):
        extract(trace, name, brightness())
    return trace


def shards_of(trace, name, shards):
    return [
        extract(trace, name, brightness(), shard=shard, shards=shards)[0] for shard in range(shards)
    ]


def write_features(path, uuids, role, vectors):
    rows = [
        {"uuid": uuid, "role": role, "status": "ok", "embedding": list(vector)}
        for uuid, vector in zip(uuids, np.asarray(vectors, np.float16), strict=True)
    ]
    write_table(rows, path, features_schema(len(vectors[0])))
    return path


def test_shards_one_after_the_other_are_the_whole(trace):
    whole = read_table(features_of(trace, "references")).to_pylist()
    for shards in (2, 5, 30):  # of 30, most are empty
        paths = shards_of(trace, "references", shards)
        rows = [row for path in paths for row in read_table(path).to_pylist()]
        assert rows == whole
        vectors = np.concatenate(list(read_vectors(paths, 5)))
        assert vectors.shape == (12, 9)
        assert [len(block) for block in read_vectors(paths, 5)] == [5, 5, 2]


@given(identifier=st.uuids(), shards=st.integers(1, 40))
def test_ranges_are_equal_and_in_the_order_of_uuids(identifier, shards):
    starts = [first_of_range(shard, shards) for shard in range(shards)]
    assert starts == sorted(starts)
    assert sum(start <= str(identifier) for start in starts) - 1 == identifier.int * shards >> 128


def test_matches_do_not_depend_on_shards_or_blocks(trace, monkeypatch):
    matches, _ = match(trace, ["left", "right"])
    expected = read_table(matches).to_pylist()
    shards = shards_of(trace, "references", 3)
    for rows in (1, 4, 100):
        monkeypatch.setattr(matching, "_BYTES_PER_NUMBER", 2**20 // (9 * rows))
        matches, _ = match(trace, ["left", "right"], references=shards, ledger_root=trace.root / str(rows))  # fmt: skip
        assert read_table(matches).to_pylist() == expected


def test_each_set_is_searched_once_and_then_recalled(trace, monkeypatch):
    searched = []
    original = matching.find_top_matches

    def counting(queries, blocks, **settings):
        searched.append(len(queries))
        return original(queries, blocks, **settings)

    monkeypatch.setattr(matching, "find_top_matches", counting)
    match(trace, ["left"])
    assert searched == [4 + 8]
    first = match(trace, ["left", "right"])[0].read_bytes()
    assert searched == [12, 4]  # the distractors are not searched for again
    assert match(trace, ["left", "right"])[0].read_bytes() == first
    assert searched == [12, 4]
    match(trace, ["left", "right"], top_k=2)
    assert searched == [12, 4, 16]


def test_every_query_of_every_set_has_its_rows(trace):
    matches, counts = match(trace, ["left", "right"])
    table = read_table(matches, MATCHES).to_pylist()
    assert counts.kept == counts.read == 16
    asked = {(row["set"], row["query"]) for row in table}
    assert {name: sum(one == name for one, _ in asked) for name in ("left", "right", "distractors")} == {
        "left": 4, "right": 4, "distractors": 8,
    }  # fmt: skip


def test_models_of_different_dimension_are_not_mixed(trace):
    extract(trace, "references")  # by the hash, 64 numbers
    with pytest.raises(UserError, match=r"by 9 numbers, .*references.* by 64; delete both"):
        match(trace, ["left"])


def test_a_tracer_that_breaks_its_own_word_is_named(trace):
    entry = brightness()
    entry["backend"] = f"{__name__}:Lying"
    with pytest.raises(UserError, match="Lying describes a picture by 9 numbers, not by 10"):
        extract(trace, "left", entry)


class Lying:
    dimension = 10

    def __init__(self, weights=None, device="cpu"):
        pass

    def embed(self, images):
        return np.ones((len(images), 9), np.float32)


def test_nothing_to_search_in_is_said(trace):
    references = trace.root / "none.parquet"
    write_table([], references, features_schema(9))
    with pytest.raises(UserError, match=r"no reference of .* was described"):
        match(trace, ["left"], references=[references])


def test_normalisation_is_the_formula(tmp_path):
    random = np.random.default_rng(3)
    vectors = {
        name: random.standard_normal((rows, 6)) for name, rows in (("q", 7), ("r", 20), ("b", 15))
    }
    vectors = {
        name: (block / np.linalg.norm(block, axis=1, keepdims=True)).astype(np.float16)
        for name, block in vectors.items()
    }
    known = [f"00000000-0000-5000-8000-{number:012d}" for number in range(20)]
    asked = write_features(tmp_path / "q" / "00000.parquet", known[:7], "query", vectors["q"])
    references = write_features(tmp_path / "r.parquet", known, "source_image", vectors["r"])
    background = write_features(tmp_path / "b.parquet", known[:15], "background", vectors["b"])
    cosines = {
        name: vectors["q"].astype(float) @ vectors[name].astype(float).T
        / np.linalg.norm(vectors["q"].astype(float), axis=1, keepdims=True)
        / np.linalg.norm(vectors[name].astype(float), axis=1)
        for name in ("r", "b")
    }  # fmt: skip
    scores = {}
    for weight in (0, 1, 2.5):
        matches = tmp_path / f"{weight}.parquet"
        matching.match_queries(
            [asked],
            [references],
            matches,
            top_k=20,
            candidates=0,
            block_mb=1,
            background=[background],
            normalisation={"weight": weight, "neighbours": 3},
            ledger_root=tmp_path / "ledger",
        )
        rows = read_table(matches, MATCHES).to_pylist()
        scores[weight] = {(row["query"], row["reference"]): row["score"] for row in rows}
        shared = np.sort(cosines["b"], axis=1)[:, -3:].mean(axis=1)
        expected = cosines["r"] - weight * shared[:, None]
        for (query, reference), score in scores[weight].items():
            place = known.index(query), known.index(reference)
            assert score == pytest.approx(expected[place], abs=1e-6)
    assert max(scores[1].values()) < max(scores[0].values())


def test_the_background_is_drawn_from_the_training_images(trace, tmp_path):
    images = tmp_path / "training.parquet"
    write_table(trace._rows(trace.images, trace.train, "training_image"), images, TRACE_IMAGES)
    for most, kept in ((4, 4), (100, 6)):
        trace.background = {"images": images, "max_images": most, "seed": 1}
        found = find_pictures(trace.background)
        assert len({file.uuid for file in found}) == kept
        assert {file.uuid for file in found} <= set(trace.train)
        assert {file.role for file in found} == {"background"}
    settings = {"normalisation": {"weight": 1.0, "neighbours": 2}}
    with pytest.raises(UserError, match="no picture of the background was described"):
        match(trace, ["left"], **settings)
    extract(trace, "background", brightness())
    background = [features_of(trace, "background")]
    _, counts = match(trace, ["left"], background=background, **settings)
    assert counts.kept == 12
    rows, _ = measure(trace, ["left"])
    assert {row["queries"] for row in rows} == {12}


def test_training_images_that_look_like_a_querys_are_told(trace, tmp_path):
    trace.shown = {
        "training_images": {"images": trace.training_images},
        "source_images": {"images": trace.references, "role": "source_image"},
    }
    paths = []
    for name in trace.shown:
        path = tmp_path / "features" / "hash" / name / "00000.parquet"
        settings = {"batch_size": 4, "ledger_root": tmp_path / "ledger"}
        extract_features([path], entries={"hash": HASH}, pictures=trace.shown, **settings)
        paths.append(path)
    rows = read_table(paths[1], features_schema(64)).to_pylist()
    assert [row["uuid"] for row in rows] == trace.queries  # no outside reference
    copied = read_table(paths[0], features_schema(64)).to_pylist()
    near = np.asarray(rows[2]["embedding"], np.float16).copy()
    near[:3] *= -1  # three bits of 64
    copied[1]["embedding"] = near.tolist()
    write_table(copied, paths[0], features_schema(64))
    report = tmp_path / "near.csv"
    counts = find_near_duplicates(*paths, report, cosine=0.9)
    [row] = list(csv.DictReader(report.read_text().splitlines()))
    assert row == {"query": trace.queries[2], "training": trace.train[1], "cosine": "0.9062"}
    assert counts.kept == 4 and "1 of the queries" in counts.notes[0]
    assert find_near_duplicates(*paths, report, cosine=0.95).notes == []
    assert report.read_text() == "query,training,cosine\n"


def test_pictures_may_have_other_names_than_uuids(trace):
    """As publishers call them: each is in one shard, and is found under its own name."""
    names = itertools.cycle(("R%06d", "!odd/%d", "~%d.jpg", "zz-%d"))
    for path, role in ((trace.references, "reference"), (trace.distractors, "distractor")):
        rows = read_table(path).to_pylist()
        for number, row in enumerate(row for row in rows if row["role"] == role):
            row["uuid"] = next(names) % number
        write_table(rows, path, TRACE_IMAGES)
    wanted = {row["uuid"] for row in read_table(trace.references).to_pylist()}
    for name in ("left", "distractors"):
        extract(trace, name)
    shards = [extract(trace, "references", shard=shard, shards=3)[0] for shard in range(3)]
    found = [uuid for path in shards for uuid in read_table(path)["uuid"].to_pylist()]
    assert sorted(found) == sorted(wanted) and len(wanted) == 12
    matches, counts = match(trace, ["left"], references=shards, top_k=12)
    assert counts.lost == 0
    assert set(read_table(matches)["reference"].to_pylist()) == wanted
