"""Scores of middle frames: which frame, what is recalled, what is rejected."""

import numpy as np
import pytest

from scripts.common.schemas.detect import FRAME_SCORES, REASONS
from scripts.common.tables import read_table
from scripts.common.video import read_frames
from scripts.detect import score_frames as score_frames_module
from scripts.detect.score_frames import score_frames
from scripts.detect.spectrum import Spectrum
from scripts.detect.tip_id import Source
from tests.detect.made_up_sources import make_source

ENTRY = {"backend": "scripts.detect.spectrum:Spectrum", "settings": {"bands": 6}}
OTHER = {"backend": "scripts.detect.spectrum:Spectrum", "settings": {"bands": 9}}


def score(files, path, ledger, **changes):
    """Score a source's frames; return the rows of the table by uuid, and the counts."""
    settings = {"entries": {"spectrum": ENTRY}, "batch_size": 2, "ledger_root": ledger} | changes
    settings = {"splits": [], "max_per_class": 99, "seed": 5} | settings
    counts = score_frames([path], sources={"a source": files}, **settings)
    rows = read_table(path, FRAME_SCORES).to_pylist()
    assert {row["reason"] for row in rows} <= {None, *REASONS}
    return {(row["detector"], row["uuid"]): row for row in rows}, counts


@pytest.fixture
def scored(monkeypatch):
    """Note the bands of each detector that is asked, and how many frames it is given."""
    asked = []
    original = Spectrum.score

    def note(self, images):
        asked.extend([len(self._edges) - 1] * len(images))
        return original(self, images)

    monkeypatch.setattr(Spectrum, "score", note)
    return asked


def test_the_middle_frame_of_each_test_video_is_scored(sources, tmp_path):
    rows, counts = score(sources["pika"], tmp_path / "a.parquet", tmp_path)
    assert counts.sentence() == "read 4 = kept 4 + rejected 0"
    source = Source(**sources["pika"], part="test")
    assert sorted(rows) == sorted(("spectrum", video.uuid) for video in source.videos)
    for video in source.videos:
        row = rows["spectrum", video.uuid]
        middle = read_frames(source.read(video))[6]
        expected = Spectrum(bands=6).score([middle])[0]
        assert row["score"] == pytest.approx(expected, rel=1e-6)
        assert row["source"] == "pika" and row["status"] == "ok"


def test_a_frame_is_decoded_once_for_all_detectors(sources, tmp_path, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        score_frames_module,
        "read_frames",
        lambda data, indices: decoded.append(indices) or read_frames(data, indices),
    )
    both = {"spectrum": ENTRY, "finer": OTHER}
    rows, counts = score(sources["pika"], tmp_path / "a.parquet", tmp_path, entries=both)
    assert decoded == [[6]] * 4
    assert counts.sentence() == "read 8 = kept 8 + rejected 0"
    for name, bands in (("spectrum", 6), ("finer", 9)):
        source = Source(**sources["pika"], part="test")
        for video in source.videos:
            expected = Spectrum(bands=bands).score([read_frames(source.read(video))[6]])[0]
            assert rows[name, video.uuid]["score"] == pytest.approx(expected, rel=1e-6)


def test_finished_scores_are_recalled(sources, tmp_path, monkeypatch):
    score(sources["pika"], tmp_path / "a.parquet", tmp_path / "ledger")
    monkeypatch.setattr(Spectrum, "score", lambda self, images: pytest.fail("scored again"))
    score(sources["pika"], tmp_path / "b.parquet", tmp_path / "ledger")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_added_detector_redoes_no_others_scores(sources, tmp_path, scored):
    first, _ = score(sources["pika"], tmp_path / "a.parquet", tmp_path / "ledger")
    both = {"spectrum": ENTRY, "finer": OTHER}
    rows, _ = score(sources["pika"], tmp_path / "b.parquet", tmp_path / "ledger", entries=both)
    assert scored == [6] * 4 + [9] * 4
    assert {key: row for key, row in rows.items() if key[0] == "spectrum"} == first


def test_another_setting_of_a_detector_is_another_score(sources, tmp_path, scored):
    for entry in (ENTRY, OTHER, ENTRY):
        score(sources["pika"], tmp_path / "a.parquet", tmp_path / "l", entries={"spectrum": entry})
    assert scored == [6] * 4 + [9] * 4


def test_another_video_under_the_same_id_is_scored_anew(tmp_path, monkeypatch, scored):
    files = make_source(tmp_path, "svd", train=1, test=2)
    before, _ = score(files, tmp_path / "a.parquet", tmp_path / "ledger")
    monkeypatch.setattr("tests.detect.made_up_sources.COLOURS", {"image_generated": (9, 99, 9)})
    files = make_source(tmp_path, "svd", train=1, test=2)
    after, _ = score(files, tmp_path / "b.parquet", tmp_path / "ledger")
    assert len(scored) == 4 and before.keys() == after.keys()
    assert all(before[key]["score"] != after[key]["score"] for key in before)


def test_broken_and_missing_videos_are_rejected_with_a_reason(tmp_path):
    files = make_source(tmp_path, "svd", train=0, test=3, broken_tests=1, missing_tests=1)
    rows, counts = score(files, tmp_path / "a.parquet", tmp_path / "ledger")
    assert counts.read == 3 and counts.kept == 1
    assert counts.rejected == {"undecodable": 1, "no_video": 1}
    rejected = [row for row in rows.values() if row["reason"]]
    assert {row["status"] for row in rejected} == {"rejected"}
    assert {row["score"] for row in rejected} == {None}


def test_an_odd_frame_is_a_row_of_its_own_and_the_next_run_tries_it_again(
    sources, tmp_path, monkeypatch
):
    frames = [
        read_frames(sources_read)[6]
        for source in [Source(**sources["pika"], part="test")]
        for sources_read in map(source.read, source.videos)
    ]

    def odd(self, images):
        if any(np.array_equal(image, frames[0]) for image in images):
            raise ValueError("an odd shape")
        return [np.nan if np.array_equal(image, frames[1]) else 0.25 for image in images]

    with monkeypatch.context() as patch:
        patch.setattr(Spectrum, "score", odd)
        rows, counts = score(sources["pika"], tmp_path / "a.parquet", tmp_path / "ledger")
    uuids = [video.uuid for video in Source(**sources["pika"], part="test").videos]
    outcomes = [
        rows["spectrum", uuid]["reason"] or rows["spectrum", uuid]["score"] for uuid in uuids
    ]
    assert outcomes == ["scoring_failed", "not_a_number", 0.25, 0.25]
    assert counts.notes == [f"spectrum: {uuids[0]}: scoring_failed: ValueError: an odd shape"]
    rows, counts = score(sources["pika"], tmp_path / "a.parquet", tmp_path / "ledger")
    assert counts.kept == 4
    assert [rows["spectrum", uuid]["score"] for uuid in uuids[2:]] == [0.25, 0.25]
