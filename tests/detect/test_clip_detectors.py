"""Detectors that see clips: which frames, which numbers, what is fitted, and the scores."""

import numpy as np
import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    XCLIPVisionConfig,
    XCLIPVisionModel,
)

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import Rejected, UserError
from scripts.common.schemas.detect import FRAME_SCORES
from scripts.common.seen import read_seen
from scripts.common.tables import read_table
from scripts.common.video import read_frames
from scripts.detect import score_frames as score_frames_module
from scripts.detect.clip_detectors import D3, ReStraV
from scripts.detect.fit_detectors import fit_detectors
from scripts.detect.metrics import SHARE_OF_FALSE_ALARMS
from scripts.detect.score_frames import score_frames
from scripts.detect.tip_id import Source
from tests.detect.made_up_sources import make_source

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
PATH = torch.arange(24.0)[:, None] * torch.tensor([0.1, 0.2, 0.3])
PATH = (PATH + torch.sin(torch.arange(24.0)[:, None] * torch.tensor([1.0, 2.0, 3.0]))).double()
"""A path in three dimensions, of which both authors' code was asked: 24 frames' vectors."""


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Folders of small random networks, as transformers writes them."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("networks")
    vision = SMALL | {"image_size": 224, "patch_size": 56}
    CLIPVisionModel(CLIPVisionConfig(**vision)).save_pretrained(folder / "clip")
    x_clip = XCLIPVisionConfig(**vision, mit_hidden_size=16, mit_intermediate_size=32, num_frames=8)
    XCLIPVisionModel(x_clip).save_pretrained(folder / "x_clip")
    dino = Dinov2Config(**SMALL | {"image_size": 280, "patch_size": 56})
    Dinov2Model(dino).save_pretrained(folder / "dinov2")
    return folder


def d3(networks, encoder="clip", distance="l2", false_alarms=0.25):
    return D3(
        {"path": str(networks / encoder)}, encoder=encoder, distance=distance,
        false_alarms=false_alarms, device="cpu",
    )  # fmt: skip


def restrav(networks, false_alarms=0.01):
    weights = {"path": str(networks / "dinov2")}
    return ReStraV(weights, false_alarms=false_alarms, device="cpu")


@pytest.mark.parametrize(
    ("frames", "fps", "expected"),
    [
        (72, 24, list(range(0, 48, 3))),
        (25, 7, list(range(16))),
        (49, 8, list(range(16))),
        (15, 8, list(range(8))),
        (40, 30, [0, 3, 7, 11, 15, 18, 22, 26]),
    ],
)
def test_d3_sees_the_first_frames_at_eight_a_second(frames, fps, expected):
    assert D3.seen_frames(frames, fps) == expected


def test_d3_needs_eight_frames():
    assert len(D3.seen_frames(8, 8)) == 8
    with pytest.raises(Rejected, match="too_short"):
        D3.seen_frames(7, 8)
    with pytest.raises(Rejected, match="too_short"):
        D3.seen_frames(20, 24)


def test_restrav_sees_two_seconds_in_the_middle():
    seen = ReStraV.seen_frames(96, 24)
    assert len(seen) == 24 and (seen[0], seen[-1]) == (24, 72)
    assert seen == [int(24 * (1 + number * 2 / 23) + 1e-6) for number in range(24)]
    short = ReStraV.seen_frames(16, 16)
    assert (short[0], short[-1]) == (0, 15) and short == sorted(short) and len(short) == 24
    with pytest.raises(Rejected, match="too_short"):
        ReStraV.seen_frames(1, 8)
    with pytest.raises(Rejected, match="undecodable"):
        ReStraV.seen_frames(9, 0)


@pytest.mark.parametrize(
    ("distance", "expected"), [("l2", 0.7664952874183655), ("cos", 0.14630624651908875)]
)
def test_d3_is_the_deviation_of_the_second_differences(networks, distance, expected):
    """The authors' arithmetic gave these numbers of the first 16 vectors, in single precision."""
    number = d3(networks, distance=distance).numbers(PATH[:16])
    assert number.item() == pytest.approx(expected, abs=1e-6)


def test_restrav_has_21_numbers_of_the_path(networks):
    """The authors' code gave these of the 24 vectors, in single precision."""
    expected = [
        1.52036, 1.48059, 1.37421, 1.79298, 1.99977, 1.36509, 2.76052, 132.52539, 127.01032,
        68.95296, 142.4175, 136.91248, 104.01534, 1.91639, 1.16628, 3.11356, 0.25301, 121.28564,
        4.79097, 144.01616, 1125.68799,
    ]  # fmt: skip
    found = restrav(networks).numbers(PATH)
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-4)


@pytest.mark.parametrize("encoder", ["clip", "x_clip", "dinov2"])
def test_d3_takes_each_network_pooled(networks, encoder):
    detector = d3(networks, encoder)
    clip = detector.prepare(np.random.default_rng(0).integers(0, 255, (8, 30, 50, 3), np.uint8))
    assert clip.shape == (8, 3, 224, 224)
    assert detector.embed(clip).shape == (8, 16)
    assert detector.describe([clip, clip]).shape == (2, 1)


def test_d3_cuts_the_longer_side_and_takes_blue_for_red(networks):
    frames = np.zeros((8, 40, 100, 3), np.uint8)
    frames[:, :, 10:90, 0] = 255  # red, but for the tenths that go
    clip = d3(networks).prepare(frames)
    means = [0.485, 0.456, 0.406]
    deviations = [0.229, 0.224, 0.225]
    expected = [(value - mean) / deviation
                for value, mean, deviation in zip((0, 0, 1), means, deviations, strict=True)]  # fmt: skip
    for channel, value in enumerate(expected):
        assert clip[:, channel].numpy() == pytest.approx(value, abs=1e-4)
    tall = d3(networks).prepare(frames.swapaxes(1, 2).copy())
    assert tall[:, 2].numpy() == pytest.approx(expected[2], abs=1e-4)


def test_restrav_does_not_normalise(networks):
    clip = restrav(networks).prepare(np.full((24, 30, 50, 3), 255, np.uint8))
    assert clip.shape == (24, 3, 224, 224) and clip.numpy() == pytest.approx(1.0, abs=1e-6)


def test_restrav_takes_all_tokens_at_positions_as_dinov2s_own_code_shrinks_them(networks):
    detector, clip = restrav(networks), torch.zeros(2, 3, 224, 224)
    assert detector.embed(clip).shape == (2, 17 * 16)
    whole = Dinov2Model.from_pretrained(networks / "dinov2").embeddings.position_embeddings
    grid = whole[:, 1:].reshape(1, 5, 5, 16).permute(0, 3, 1, 2)
    shrunk = torch.nn.functional.interpolate(grid, scale_factor=4.1 / 5, mode="bicubic")
    found = detector._network.embeddings.position_embeddings
    torch.testing.assert_close(found[:, 1:], shrunk.permute(0, 2, 3, 1).flatten(1, 2))
    torch.testing.assert_close(found[:, :1], whole[:, :1])


def fitted(detector, numbers, generated, path):
    detector.fit(numbers, generated, path / "fit.safetensors", seed=1)
    return detector.fitted(path / "fit.safetensors")._fitted


def test_d3s_threshold_is_of_real_videos_and_of_no_other(networks, tmp_path):
    """Of five real ones a fifth may be below it: the smallest."""
    numbers = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [0.001], [99.0]])
    generated = np.array([False] * 5 + [True] * 2)
    detector = d3(networks, false_alarms=0.2)
    found = fitted(detector, numbers, generated, tmp_path)
    scores = detector.judge(np.array([[1.9], [2.0], [2.1], [0.1]]), found)
    assert scores[0] > 0.5 > scores[2] and scores[1] == pytest.approx(0.5)
    assert scores[3] > scores[0], "less is generated"
    numbers[generated] = [[7.0], [14.0]]
    assert fitted(detector, numbers, generated, tmp_path) == found


def made_up_numbers(real=600, generated=200):
    """Return numbers of clips whose fifth tells the classes apart, most of the time."""
    numbers = np.random.default_rng(3).normal(size=(real + generated, 21))
    is_generated = np.arange(len(numbers)) >= real
    numbers[is_generated, 4] += 3
    return numbers, is_generated


@pytest.mark.parametrize("false_alarms", [0.01, 0.05])
@pytest.mark.parametrize("name", ["d3", "restrav"])
def test_a_share_of_real_training_videos_and_no_more_are_taken_for_generated(
    networks, tmp_path, name, false_alarms
):
    """Also of those that ReStraV's network does not learn from, since there are fewer generated."""
    numbers, generated = made_up_numbers()
    if name == "d3":
        detector, numbers = d3(networks, false_alarms=false_alarms), np.exp(-numbers[:, 4:5])
    else:
        detector = restrav(networks, false_alarms)
    found = fitted(detector, numbers, generated, tmp_path)
    taken = detector.judge(numbers, found) > 0.5
    assert taken[~generated].sum() == 600 * false_alarms
    # Of a normal distribution 3 from that of the real ones: 0.75 and 0.91.
    assert taken[generated].mean() > {0.01: 0.6, 0.05: 0.8}[false_alarms]


def test_generated_videos_move_no_threshold_of_a_network_that_has_learnt(networks, tmp_path):
    numbers, generated = made_up_numbers()
    detector = restrav(networks)
    learnt = detector.learn(numbers, generated, 1)
    detector.learn = lambda *_: dict(learnt)
    found = fitted(detector, numbers, generated, tmp_path)
    numbers[generated] *= 2
    assert fitted(detector, numbers, generated, tmp_path)["threshold"] == found["threshold"]


def test_restrav_learns_with_as_many_of_each_class_and_the_same_twice(networks, tmp_path):
    numbers, generated = made_up_numbers(150, 450)
    detector = restrav(networks)
    found = detector.evidence(numbers, fitted(detector, numbers, generated, tmp_path))
    assert ((found > 0) == generated).mean() > 0.88
    assert abs((found > 0)[~generated].mean() - (found <= 0)[generated].mean()) < 0.12
    first = (tmp_path / "fit.safetensors").read_bytes()
    fitted(restrav(networks), numbers, generated, tmp_path)
    assert first == (tmp_path / "fit.safetensors").read_bytes()


def test_the_sheet_takes_one_of_a_hundred_real_videos_for_generated():
    """As the share of false alarms at which what is caught is told (``SHARE_OF_FALSE_ALARMS``)."""
    sheet = read_sheets(ROOT / "config")["detectors"]
    clips = [entry["settings"] for entry in sheet.values() if entry.get("sees") == "clip"]
    assert [one["false_alarms"] for one in clips] == [SHARE_OF_FALSE_ALARMS] * 4


def test_an_unknown_network_is_named(networks):
    with pytest.raises(UserError, match="'encoder' is 'resnet'; it may be one of: clip, x_clip"):
        d3(networks, "resnet")
    with pytest.raises(UserError, match="'distance' is 'l1'; it may be one of: l2, cos"):
        d3(networks, distance="l1")


def test_clips_are_fitted_and_scored_beside_frames_from_one_decoding(
    networks, sources, tmp_path, monkeypatch
):
    entries = {
        "d3": {
            "backend": "scripts.detect.clip_detectors:D3",
            "weights": {"path": str(networks / "clip")},
            "settings": {"encoder": "clip", "distance": "l2", "false_alarms": 0.2},
        },
        "restrav": {
            "backend": "scripts.detect.clip_detectors:ReStraV",
            "weights": {"path": str(networks / "dinov2")},
            "settings": {"false_alarms": 0.2},
        },
    }
    fitted = [tmp_path / f"{name}.safetensors" for name in entries]
    outside = {name: sources[name] for name in ("camera", "dreamer")}
    common = {"entries": entries, "seed": 1, "batch_size": 3, "ledger_root": tmp_path / "kept"}
    counts = fit_detectors(fitted, sources=outside, per_class=4, **common)
    assert counts.sentence() == "read 36 = kept 16 + rejected 20 (not_drawn 20)"
    train = {
        name: {v.uuid for v in Source(**sources[name], part="train").videos} for name in outside
    }
    for path in fitted:
        assert read_seen(path)["sources"] == {"camera": 4, "dreamer": 4}
        assert len(read_seen(path)["uuids"]) == 8 and len(set.union(*train.values())) == 18

    decoded = []
    monkeypatch.setattr(
        score_frames_module, "read_frames",
        lambda data, indices: decoded.append(list(indices)) or read_frames(data, indices),
    )  # fmt: skip
    entries["spectrum"] = {"backend": "scripts.detect.spectrum:Spectrum"}
    others = {"splits": [], "max_per_class": 9, "sources": {"pika": sources["pika"]}}
    score_frames([tmp_path / "a.parquet"], fitted, **others, **common)
    assert decoded == [list(range(12))] * 4, "eight of D3, all of ReStraV, and the middle one"
    rows = read_table(tmp_path / "a.parquet", FRAME_SCORES).to_pylist()
    assert len(rows) == 12 and all(row["status"] == "ok" and 0 <= row["score"] <= 1 for row in rows)
    spectrum = {row["uuid"]: row["score"] for row in rows if row["detector"] == "spectrum"}
    alone = common | {"entries": {"spectrum": entries["spectrum"]}}
    score_frames([tmp_path / "b.parquet"], **others, **alone | {"ledger_root": tmp_path / "new"})
    assert spectrum == {
        row["uuid"]: row["score"] for row in read_table(tmp_path / "b.parquet").to_pylist()
    }


def test_a_video_without_a_clip_is_a_row_for_that_detector_alone(networks, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tests.detect.made_up_sources.made_up_frames",
        lambda label, seed: np.random.default_rng(seed).integers(0, 255, (1, 36, 48, 3), np.uint8),
    )
    files = make_source(tmp_path, "pika", train=0, test=3)
    entries = {
        "restrav": {
            "backend": "scripts.detect.clip_detectors:ReStraV",
            "weights": {"path": str(networks / "dinov2")},
            "settings": {"false_alarms": 0.2},
        },
        "spectrum": {"backend": "scripts.detect.spectrum:Spectrum"},
    }
    score_frames(
        [tmp_path / "a.parquet"], sources={"pika": files}, entries=entries, splits=[],
        max_per_class=9, seed=1, batch_size=3, ledger_root=tmp_path / "kept",
    )  # fmt: skip
    rows = read_table(tmp_path / "a.parquet", FRAME_SCORES).to_pylist()
    outcomes = {(row["detector"], row["reason"]) for row in rows}
    assert outcomes == {("restrav", "too_short"), ("spectrum", None)} and len(rows) == 6
