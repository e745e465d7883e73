"""Tracing along the video: frame by frame, and a whole video by the mean of its frames' cosines."""

import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image

from scripts.common.schemas.trace import MATCHES, MUAP, MUAP_AT, MUAP_VIDEO, features_schema
from scripts.common.tables import read_table, write_table
from scripts.trace.fused_frames import fuse_frames
from scripts.trace.metrics import micro_average_precision
from scripts.trace.picture_files import read_member
from tests.trace.made_up import MadeUpTrace, move
from tests.trace.test_features_to_metrics import (
    brightness,
    decode,
    extract,
    features_of,
    index_of,
    match,
    measure,
)

PLACES = (0, 2, 5)


@pytest.fixture
def trace(tmp_path):
    trace = MadeUpTrace(tmp_path, along=PLACES)
    decode(trace, "left")
    return trace


def unit_vectors(trace, name):
    rows = read_table(features_of(trace, name)).to_pylist()
    vectors = {row["uuid"]: np.asarray(row["embedding"] or [], float) for row in rows}
    return {
        uuid: vector / np.linalg.norm(vector) for uuid, vector in vectors.items() if len(vector)
    }


def described(trace):
    for name in ("left", "left-along", "distractors", "references"):
        extract(trace, name, brightness())
    return match(trace, ["left", "left-along"])


def expected_of(trace, vectors):
    """Return muAP by the definition, of all pairs of some queries and of the distractors."""
    references = unit_vectors(trace, "references")
    queries = vectors | unit_vectors(trace, "distractors")
    pairs = [
        (query @ reference, asked == uuid)
        for asked, query in queries.items()
        for uuid, reference in references.items()
    ]
    scores, found = map(np.array, zip(*pairs, strict=True))
    return micro_average_precision(scores, found, positives=len(vectors))


def test_frames_along_a_video_are_kept_beside_its_query(trace):
    rows = [row for row in index_of(trace, "left") if row["part"] == "along"]
    assert [row["frame"] for row in rows] == [*PLACES] * len(trace.queries)
    assert {row["uuid"] for row in rows} == set(trace.queries)
    last = next(row for row in rows if row["frame"] == PLACES[-1])
    data = read_member(trace.frames("left"), last["offset"], last["size_bytes"])
    (trace.root / "frame.png").write_bytes(data)
    shown = np.asarray(Image.open(trace.root / "frame.png")).astype(int)
    assert np.abs(shown - move(trace.pictures[last["uuid"]], 1)[PLACES[-1]]).mean() < 8


def test_each_place_and_the_whole_video_are_measured_as_defined(trace):
    described(trace)
    rows, counts = measure(trace, ["left"], candidates=10_000)
    values = {row["metric"]: row for row in rows}
    assert counts.kept == len(trace.queries) + 8
    frames = unit_vectors(trace, "left-along")
    for number, frame in enumerate(PLACES, start=1):
        own = {u: frames[f"{u}.{frame:05d}"] for u in trace.queries}
        row = values[f"{MUAP_AT}{number}"]
        assert row["value"] == pytest.approx(expected_of(trace, own), abs=1e-6)
        assert (row["queries"], row["positives"]) == (12, 4)
    means = {u: np.mean([frames[f"{u}.{f:05d}"] for f in PLACES], 0) for u in trace.queries}
    assert values[MUAP_VIDEO]["value"] == pytest.approx(expected_of(trace, means), abs=1e-6)
    # the last frame along the video is the query here, and what is measured of queries is not moved
    assert values[MUAP]["value"] == values[f"{MUAP_AT}3"]["value"]


def test_a_videos_scores_are_the_means_of_its_frames(trace):
    matches, counts = described(trace)
    assert counts.lost == 0
    table = read_table(matches, MATCHES)
    videos = table.filter(pc.equal(table["set"], "left-video")).to_pylist()
    assert {row["query"] for row in videos} == set(trace.queries)
    frames, references = (unit_vectors(trace, name) for name in ("left-along", "references"))
    for row in videos:
        cosines = [frames[f"{row['query']}.{f:05d}"] @ references[row["reference"]] for f in PLACES]
        assert row["score"] == pytest.approx(np.mean(cosines), abs=1e-6)
        assert row["is_match"] == (row["query"] == row["reference"])


def test_without_frames_along_videos_nothing_of_them_is_measured(trace):
    for name in ("left", "distractors", "references"):
        extract(trace, name, brightness())
    match(trace, ["left"])
    rows, _ = measure(trace, ["left"])
    assert not [row for row in rows if row["metric"].startswith((MUAP_AT, MUAP_VIDEO))]


def test_a_frame_that_is_not_described_is_left_out_of_its_video(trace):
    described(trace)
    paths = [features_of(trace, "left-along")]
    whole, means = fuse_frames(paths)
    rows = read_table(paths[0]).to_pylist()
    lost = trace.queries[0]
    gone = {f"{lost}.{PLACES[0]:05d}"} | {f"{trace.queries[1]}.{f:05d}" for f in PLACES}
    for row in rows:
        if row["uuid"] in gone:
            row |= {"status": "rejected", "reason": "not_a_number", "embedding": None}
    write_table(rows, paths[0], features_schema(9))
    videos, fewer = fuse_frames(paths)
    assert videos["uuid"].to_pylist() == whole["uuid"].to_pylist() == trace.queries
    assert videos["status"].to_pylist() == ["ok", "rejected", "ok", "ok"]
    assert videos["reason"].to_pylist()[1] == "not_a_number"
    assert np.array_equal(fewer[1:], means[2:])
    frames = unit_vectors(trace, "left-along")
    left = np.mean([frames[f"{lost}.{f:05d}"] for f in PLACES[1:]], 0)
    assert fewer[0] == pytest.approx(left, abs=1e-6)
