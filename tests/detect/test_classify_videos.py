"""Trained classifiers on test videos: what they see, what is shared, what is recalled."""

import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from scripts.common.schemas.detect import CLASS_SCORES, CLASSES, REASONS
from scripts.common.tables import read_table
from scripts.common.video import read_frames
from scripts.detect import videomae
from scripts.detect.classify_videos import classify_videos
from scripts.detect.clips import evaluation_input
from scripts.detect.tip_id import Source
from scripts.detect.videomae import VideoMae
from tests.detect.made_up_sources import make_source, tiny_entry

SAME, CROSS = ("same_domain", "pika"), ("cross_domain", "pika")


@pytest.fixture(scope="module")
def models(trained, tmp_path_factory):
    """Two classifiers: the trained one, and one with another head."""
    folder = tmp_path_factory.mktemp("models")
    first, other = folder / "first.safetensors", folder / "other.safetensors"
    shutil.copy(trained / "weights.safetensors", first)
    state = load_file(first)
    state["classifier.bias"] = state["classifier.bias"] + torch.tensor([1.0, -2.0, 0.5])
    with safe_open(first, framework="pt") as file:
        save_file(state, other, metadata=file.metadata())
    return {SAME: first, CROSS: other}


@pytest.fixture
def asked(monkeypatch):
    """Note how many videos are decoded, and how many each model is asked for."""
    found = {"decoded": 0, "asked": []}
    decode, classify = VideoMae.test_clips, VideoMae.classify

    def count_decoded(self, *arguments):
        found["decoded"] += 1
        return decode(self, *arguments)

    def count_asked(self, model, videos, **settings):
        found["asked"] += [model.classifier.bias[1].item()] * len(videos)
        return classify(self, model, videos, **settings)

    monkeypatch.setattr(VideoMae, "test_clips", count_decoded)
    monkeypatch.setattr(VideoMae, "classify", count_asked)
    return found


def run(models, files, folder, entry=None, name="scores", **settings):
    """Classify a source; return the rows by setting and uuid, and the counts."""
    path, weights = folder / f"{name}.parquet", []
    for (setting, generator), model in models.items():
        weights.append(folder / setting / f"{generator}.safetensors")
        weights[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(model, weights[-1])
    settings = {"batch_size": 5, "ledger_root": folder / "ledger"} | settings
    settings = {"splits": [], "max_per_class": 99, "seed": 5} | settings
    entry, sources = entry or tiny_entry(), {"a source": files}
    counts = classify_videos(weights, [path], sources=sources, entry=entry, **settings)
    rows = read_table(path, CLASS_SCORES).to_pylist()
    assert {row["reason"] for row in rows} <= {None, *REASONS}
    assert rows == sorted(rows, key=lambda row: (row["setting"], row["generator"], row["uuid"]))
    return {(row["setting"], row["uuid"]): row for row in rows}, counts


def test_it_tells_unseen_videos_apart(sources, models, tmp_path):
    for name, label in (("svd", 2), ("camera", 0), ("dreamer", 1)):
        rows, counts = run({SAME: models[SAME]}, sources[name], tmp_path)
        assert counts.sentence() == "read 4 = kept 4 + rejected 0"
        outputs = np.array([[row[f"p_{each}"] for each in CLASSES] for row in rows.values()])
        np.testing.assert_allclose(outputs.sum(axis=1), 1)
        clips = np.array([row["clips"] for row in rows.values()]).reshape(len(rows), -1, 3)
        np.testing.assert_allclose(clips.mean(axis=1), outputs)
        assert np.mean(outputs.argmax(axis=1) == label) > 0.7
        assert {(row["source"], row["label"]) for row in rows.values()} == {(name, CLASSES[label])}


def test_outputs_are_the_models_on_the_windows_of_a_video(sources, trained):
    entry = tiny_entry()
    entry["settings"]["clip"]["seconds"] = 0.5
    classifier = VideoMae(None, **entry["settings"])
    model = classifier.read_model(trained / "weights.safetensors")
    source = Source(**sources["pika"], part="test")
    videos = source.videos[:3]
    seen = [classifier.test_clips(video, source.read) for video in videos]
    # 12 frames at 8 per second are three windows of half a second, both ends included.
    starts = [[0, 1, 2, 4], [4, 5, 6, 8], [8, 9, 10, 11]]
    for size in (1, 2, 100):
        outputs = classifier.classify(model, seen, batch_size=size)
        for video, found in zip(videos, outputs, strict=True):
            frames = read_frames(source.read(video))
            clips = [evaluation_input(frames[i], classifier._clip) for i in starts]
            with torch.inference_mode():
                expected = model(pixel_values=torch.stack(clips)).logits.softmax(1).mean(0)
            assert found.shape == (3, 3)
            np.testing.assert_allclose(found.mean(axis=0), expected.numpy(), rtol=1e-5)


def test_a_video_is_decoded_once_for_all_classifiers(sources, models, tmp_path, asked):
    rows, counts = run(models, sources["pika"], tmp_path)
    assert asked["decoded"] == 4 and len(asked["asked"]) == 8 and len(set(asked["asked"])) == 2
    assert counts.sentence() == "read 8 = kept 8 + rejected 0"
    alone, _ = run({CROSS: models[CROSS]}, sources["pika"], tmp_path / "alone")
    for key, row in alone.items():
        assert rows[key] == row
        assert rows["same_domain", key[1]]["p_real"] != row["p_real"]


def test_a_classifier_trained_anew_redoes_no_others_outputs(sources, models, tmp_path, asked):
    first, _ = run({SAME: models[SAME]}, sources["pika"], tmp_path)
    asked["asked"].clear()
    rows, _ = run(models, sources["pika"], tmp_path)
    assert len(asked["asked"]) == 4 and len(set(asked["asked"])) == 1
    assert {key: row for key, row in rows.items() if key[0] == "same_domain"} == first
    asked["asked"].clear()
    run({SAME: models[SAME]}, sources["pika"], tmp_path)
    assert not asked["asked"]
    # Other weights at the same place: the content counts.
    run({SAME: models[CROSS]}, sources["pika"], tmp_path)
    assert len(asked["asked"]) == 4


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [("clip", "seconds", 0.5), ("training", "precision", "bfloat16")],
)
def test_another_setting_that_decides_outputs_gives_others(
    sources, models, tmp_path, asked, part, name, value
):
    entry = tiny_entry()
    run({SAME: models[SAME]}, sources["pika"], tmp_path, entry)
    entry["settings"]["running"]["checkpoint_every"] = 7  # decides nothing
    run({SAME: models[SAME]}, sources["pika"], tmp_path, entry)
    assert len(asked["asked"]) == 4
    entry["settings"][part][name] = value
    run({SAME: models[SAME]}, sources["pika"], tmp_path, entry)
    assert len(asked["asked"]) == 8


def test_precision_is_the_entrys(sources, trained, monkeypatch):
    """The CPU has no half precision in use, so one is put in its place."""
    wanted = []

    def mixed_precision(device, precision):
        wanted.append(precision)
        return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    monkeypatch.setattr(videomae, "mixed_precision", mixed_precision)
    outputs = {}
    for precision in ("float32", "bfloat16"):
        entry = tiny_entry(precision=precision)
        classifier = VideoMae(None, **entry["settings"])
        model = classifier.read_model(trained / "weights.safetensors")
        source = Source(**sources["pika"], part="test")
        clips = [classifier.test_clips(video, source.read) for video in source.videos]
        outputs[precision] = classifier.classify(model, clips, batch_size=4)
    assert wanted == ["float32", "bfloat16"]
    float32, bfloat16 = (np.concatenate(found) for found in outputs.values())
    difference = np.abs(float32 - bfloat16).max()
    assert 1e-6 < difference < 0.05


def test_broken_and_missing_videos_are_rejected_with_a_reason(models, tmp_path):
    files = make_source(tmp_path, "svd", train=0, test=3, broken_tests=1, missing_tests=1)
    rows, counts = run(models, files, tmp_path)
    assert counts.sentence() == "read 6 = kept 2 + rejected 4 (undecodable 2, no_video 2)"
    rejected = [row for row in rows.values() if row["status"] == "rejected"]
    assert len(rejected) == 4 and all(row["p_real"] is None for row in rejected)


def test_an_output_that_is_no_number_is_a_row_of_its_own(sources, models, tmp_path, monkeypatch):
    def odd(self, model, videos, **settings):
        return [np.array([np.nan, 0, 1]), *[np.array([0.2, 0.3, 0.5])] * (len(videos) - 1)]

    monkeypatch.setattr(VideoMae, "classify", odd)
    rows, counts = run({SAME: models[SAME]}, sources["pika"], tmp_path)
    assert counts.rejected == {"not_a_number": 1}
    assert sorted(str(row["p_real"]) for row in rows.values()) == ["0.2"] * 3 + ["None"]
