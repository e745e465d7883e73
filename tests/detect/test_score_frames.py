"""Scores of middle frames: which frame, what is recalled, what is rejected."""

import numpy as np
import pytest

from scripts.common.schemas.detect import FRAME_SCORES, REASONS
from scripts.common.tables import read_table
from scripts.common.video import read_frames
from scripts.detect.score_frames import score_frames
from scripts.detect.spectrum import Spectrum
from scripts.detect.tip_id import Source
from tests.detect.made_up_sources import make_source

ENTRY = {"backend": "scripts.detect.spectrum:Spectrum", "settings": {"bands": 6}}


def rows_of(path):
    """Return the rows of a score table by uuid."""
    return {row["uuid"]: row for row in read_table(path, FRAME_SCORES).to_pylist()}


def test_the_middle_frame_of_each_test_video_is_scored(sources, tmp_path):
    counts = score_frames(
        sources["pika"], tmp_path / "a.parquet", entry=ENTRY, batch_size=3, ledger_root=tmp_path
    )
    assert counts.sentence() == "read 4 = kept 4 + rejected 0"
    rows = rows_of(tmp_path / "a.parquet")
    source = Source(sources["pika"], "test")
    assert sorted(rows) == sorted(video.uuid for video in source.videos)
    for video in source.videos:
        middle = read_frames(source.read(video))[6]
        expected = Spectrum(bands=6).score([middle])[0]
        assert rows[video.uuid]["score"] == pytest.approx(expected, rel=1e-6)


def test_finished_scores_are_recalled_by_content(sources, tmp_path, monkeypatch):
    arguments = {"entry": ENTRY, "batch_size": 2, "ledger_root": tmp_path / "ledger"}
    score_frames(sources["pika"], tmp_path / "a.parquet", **arguments)
    monkeypatch.setattr(Spectrum, "score", lambda self, images: pytest.fail("scored again"))
    score_frames(sources["pika"], tmp_path / "b.parquet", **arguments)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_another_video_under_the_same_id_is_scored_anew(tmp_path, monkeypatch):
    arguments = {"entry": ENTRY, "batch_size": 8, "ledger_root": tmp_path / "ledger"}
    files = make_source(tmp_path, "svd", train=1, test=2)
    score_frames(files, tmp_path / "a.parquet", **arguments)
    scored = []
    monkeypatch.setattr(
        Spectrum,
        "score",
        lambda self, images: scored.extend(images) or np.full(len(images), 0.25, np.float32),
    )
    monkeypatch.setattr("made_up_sources.COLOURS", {"image_generated": (9, 99, 9)})
    files = make_source(tmp_path, "svd", train=1, test=2)
    score_frames(files, tmp_path / "b.parquet", **arguments)
    assert len(scored) == 2
    assert {row["score"] for row in rows_of(tmp_path / "b.parquet").values()} == {0.25}


def test_broken_and_missing_videos_are_rejected_with_a_reason(tmp_path):
    files = make_source(tmp_path, "svd", train=0, test=3, broken_tests=1, missing_tests=1)
    counts = score_frames(
        files, tmp_path / "a.parquet", entry=ENTRY, batch_size=2, ledger_root=tmp_path / "ledger"
    )
    assert counts.read == 3 and counts.kept == 1
    assert counts.rejected == {"undecodable": 1, "no_video": 1}
    assert set(counts.rejected) <= set(REASONS)
    rejected = [row for row in rows_of(tmp_path / "a.parquet").values() if row["reason"]]
    assert {row["status"] for row in rejected} == {"rejected"}
    assert {row["score"] for row in rejected} == {None}
