"""Clips of odd sizes, of one frame, and too short ones, through frames, classifiers and fits."""

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.schemas.detect import FRAME_SCORES
from scripts.common.tables import read_table
from scripts.detect.classify_videos import classify_videos
from scripts.detect.fit_detectors import fit_detectors
from scripts.detect.score_frames import score_frames
from scripts.detect.tip_id import Source
from scripts.detect.videomae import VideoMae
from tests.detect.made_up_sources import make_source, tiny_entry
from tests.detect.test_clip_detectors import networks  # noqa: F401

SHAPES = {"odd": (9, 34, 50), "one": (1, 36, 48), "wide": (5, 16, 200), "tall": (5, 200, 16)}


@pytest.fixture
def odd_source(tmp_path, monkeypatch, request):
    """A source of generated videos of one shape."""
    frames, height, width = SHAPES[request.param]

    def noise(label: str, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 255, (frames, height, width, 3), np.uint8)

    monkeypatch.setattr("tests.detect.made_up_sources.made_up_frames", noise)
    return make_source(tmp_path, "pika", train=2, test=2)


@pytest.mark.parametrize("odd_source", SHAPES, indirect=True)
def test_any_shape_is_scored_and_classified(odd_source, tmp_path):
    entries = {"spectrum": {"backend": "scripts.detect.spectrum:Spectrum"}}
    common = {"splits": [], "max_per_class": 9, "seed": 1, "batch_size": 4}
    common |= {"sources": {"pika": odd_source}, "ledger_root": tmp_path / "kept"}
    score_frames([tmp_path / "a.parquet"], entries=entries, **common)
    rows = read_table(tmp_path / "a.parquet", FRAME_SCORES).to_pylist()
    assert [row["status"] for row in rows] == ["ok"] * 2
    classifier = VideoMae(None, **tiny_entry()["settings"])
    source = Source(**odd_source, part="test")
    for video in source.videos:
        clips = classifier.test_clips(video, source.read)
        assert clips.shape[1:] == (4, 3, 32, 32) and torch.isfinite(clips).all()


@pytest.mark.parametrize("odd_source", ["one"], indirect=True)
def test_a_class_without_a_usable_clip_is_an_error_that_says_why(odd_source, tmp_path, networks):  # noqa: F811
    real = make_source(tmp_path / "real", "camera", train=2, test=0)
    restrav = {
        "backend": "scripts.detect.clip_detectors:ReStraV",
        "weights": {"path": str(networks / "dinov2")},
        "settings": {"false_alarms": 0.2},
    }
    with pytest.raises(UserError, match=r"class real can be used.*too_short") as fault:
        fit_detectors(
            [tmp_path / "restrav.safetensors"], sources={"camera": real}, per_class=9, seed=1,
            entries={"restrav": restrav}, batch_size=2, ledger_root=tmp_path / "kept",
        )  # fmt: skip
    assert "detect.detectors" in str(fault.value)


def test_classifying_needs_weights_that_are_there(tmp_path):
    files = make_source(tmp_path, "pika", train=0, test=2)
    with pytest.raises(UserError, match=r"pika.safetensors"):
        classify_videos(
            [tmp_path / "same_domain/pika.safetensors"], [tmp_path / "a.parquet"],
            sources={"pika": files}, entry=tiny_entry(), splits=[], max_per_class=9, seed=1,
            batch_size=4, ledger_root=tmp_path / "kept",
        )  # fmt: skip
