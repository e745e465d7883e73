"""One backend for every pipeline: what an entry says goes in as it says."""

from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.generate import any_pipeline
from scripts.generate.any_pipeline import check_call, check_settings, class_of, even, sides_of
from tests.generate.made_up import picture

SHEET = read_sheets(ROOT / "config")["generators"]
ENTRIES = {
    name: entry for name, entry in SHEET.items() if "pipeline" in (entry.get("settings") or {})
}


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_names_what_there_is(name):
    settings = ENTRIES[name]["settings"]
    check_settings(settings)
    classes = [part["class"] for part in settings.get("parts", {}).values()]
    classes += [settings["scheduler"]["class"]] if "class" in settings.get("scheduler", {}) else []
    for each in classes:
        class_of(each)
    assert settings["size"]["by"] in ("fixed", "area", "model")


def test_there_are_entries_for_the_models_of_today():
    assert len(ENTRIES) >= 15


class _Recorder:
    """A pipeline that keeps what it is called with."""

    def __call__(self, image=None, prompt="", width=0, height=0, video=None, **others):
        self.given = {"image": image, "prompt": prompt, "width": width, "height": height,
                      "video": video} | others  # fmt: skip
        frames = np.full((1, 2, 5, 7, 3), 0.5, dtype=np.float32)
        return type("Output", (), {"frames": frames, "video": frames / 2})


@pytest.fixture
def recorder(monkeypatch):
    made = _Recorder()
    monkeypatch.setattr(any_pipeline, "load_pipeline", lambda *args, **others: made)
    monkeypatch.setattr(any_pipeline, "check_settings", lambda settings: _Recorder)
    return made


def build(**settings):
    common = {"pipeline": "x", "call": {"steps": 3}, "fps": 8,
              "size": {"by": "fixed", "width": 32, "height": 16}}  # fmt: skip
    return any_pipeline.AnyPipeline({}, **common | settings)


def test_what_goes_in_is_as_the_entry_says(recorder):
    image = picture("a cat", width=60, height=40)
    frames, _ = build(inputs={"image": "video", "suffix": " motion score: 30."}).generate(
        image, "waves", seed=1
    )
    given = recorder.given
    assert given["prompt"] == "waves motion score: 30." and given["image"] is None
    assert given["video"].shape == (1, 1, 3, 16, 32) and 0.5 < given["video"].max() <= 1
    assert (given["width"], given["height"], given["steps"]) == (32, 16, 3)
    assert given["output_type"] == "np" and isinstance(given["generator"], torch.Generator)
    assert frames.shape == (2, 4, 6, 3)  # files have even sides
    build(inputs={"prompt": "none"}).generate(image, "waves", seed=1)
    assert recorder.given["prompt"] == ""


def test_what_comes_out_is_where_the_entry_says(recorder):
    image = picture("a cat")
    given = [build(output=each).generate(image, "", seed=1)[0].max()
             for each in (None, {"frames": "video"})]  # fmt: skip
    assert given == [128, 64]


@pytest.mark.parametrize(("card", "cache", "compiled"), [
    ("cuda", None, 1), ("cpu", None, 0), ("cuda", {"class": "FirstBlockCacheConfig"}, 0),
])  # fmt: skip
def test_fidelity_is_compiled_on_a_card_and_a_cache_is_not(
    recorder, monkeypatch, card, cache, compiled
):
    made = []
    recorder.transformer = SimpleNamespace(
        compile=lambda: made.append("compiled"), enable_cache=lambda chosen: made.append("cached")
    )
    monkeypatch.setattr(any_pipeline, "pick_device", torch.device)
    build(compiled=True, cache=cache, device=card)
    assert made == (["compiled"] if compiled else ["cached"] if cache else [])


def test_sizes(recorder):
    image = picture("a cat", width=60, height=40)
    build(size={"by": "model"}).generate(image, "", seed=1)
    assert (recorder.given["width"], recorder.given["image"].size) == (0, (60, 40))
    build(size={"by": "area", "width": 96, "height": 64, "multiple": 16}).generate(
        image, "", seed=1
    )
    assert (recorder.given["width"], recorder.given["height"]) == (96, 64)
    assert recorder.given["image"].size == (96, 64)


@pytest.mark.parametrize(
    ("fit", "bars", "edge"), [("crop", 0, 0), ("pad", 4, 255), ("stretch", 0, 255)]
)
def test_an_image_of_other_proportions_goes_in_as_the_entry_says(recorder, fit, bars, edge):
    """Three times as wide, with a white edge at its left, to twice as wide."""
    image = np.full((20, 60, 3), 90, np.uint8)
    image[:, :8] = 255
    build(size={"by": "fixed", "width": 48, "height": 24, "fit": fit}).generate(image, "", seed=1)
    shown = np.asarray(recorder.given["image"])
    assert (shown[:, 24].max(axis=-1) < 45).sum() == 2 * bars
    assert abs(int(shown[12, 2, 0]) - (edge or 90)) < 3


@pytest.mark.parametrize("way", ["model", "sequential"])
def test_memory_is_saved_as_the_entry_says(recorder, way):
    done = []

    def noting(name):
        return lambda **given: done.append((name, given))

    recorder.vae = SimpleNamespace(enable_tiling=noting("tiling"), enable_slicing=noting("slicing"))
    for each in ("model", "sequential"):
        setattr(recorder, f"enable_{each}_cpu_offload", noting(each))
    build(memory={"vae_tiling": True, "vae_slicing": True, "offload": way}, device="cuda:1")
    assert done == [("tiling", {}), ("slicing", {}), (way, {"device": "cuda:1"})]
    done.clear()
    build(memory={"vae_slicing": True})
    build()
    assert done == [("slicing", {})]


@pytest.mark.parametrize("aspect", [16 / 9, 9 / 16, 1.0, 2.35])
def test_an_area_keeps_the_proportions(aspect):
    width, height = sides_of(aspect, 832 * 480, 16)
    assert (width % 16, height % 16) == (0, 0) and width * height <= 832 * 480
    assert width / height == pytest.approx(aspect, rel=0.05)
    assert width * height > 0.93 * 832 * 480


def test_an_extreme_image_still_has_two_sides():
    assert sides_of(10_000, 832 * 480, 16) == (24_960, 16)
    assert even(np.zeros((1, 4, 6, 3))).shape == (1, 4, 6, 3)


def test_what_does_not_exist_is_named_with_the_nearest():
    with pytest.raises(UserError, match="takes no 'num_frame'; the nearest is 'num_frames'"):
        check_call("WanImageToVideoPipeline", {"num_frame": 81})
    with pytest.raises(
        UserError, match=r"neither .* 'WanImage2VideoPipeline'; the nearest is 'Wan"
    ):
        check_call("WanImage2VideoPipeline", {})
    with pytest.raises(UserError, match="'width' is given for each image"):
        check_call("WanImageToVideoPipeline", {"width": 832})


@pytest.mark.parametrize(("name", "wrong", "right"), [
    ("memory", "vae_tile", "vae_tiling"), ("inputs", "sufix", "suffix"), ("size", "with", "width"),
    ("output", "frame", "frames"),
])  # fmt: skip
def test_a_setting_that_would_be_passed_over_is_refused(name, wrong, right):
    settings = {"pipeline": "WanImageToVideoPipeline", "call": {}, name: {wrong: 1}}
    with pytest.raises(
        UserError, match=rf"settings\.{name} has '{wrong}'; the nearest is '{right}'"
    ):
        check_settings(settings)


def test_what_a_scheduler_or_guider_does_not_take_is_refused(recorder):
    """diffusers itself would warn of it in a log at most, and go on with the default."""
    for part, wrong, right in ((diffusers.UniPCMultistepScheduler(), "flow_shif", "flow_shift"),
                               (diffusers.ClassifierFreeGuidance(), "guidance", "guidance_scale")):  # fmt: skip
        name = "guider" if right == "guidance_scale" else "scheduler"
        setattr(recorder, name, part)
        build(**{name: {right: 7.0}})
        assert getattr(recorder, name).config[right] == 7.0
        with pytest.raises(UserError, match=f"takes no '{wrong}'; the nearest is '{right}'"):
            build(**{name: {wrong: 7.0}})
