"""Every entry's real classes, with tiny random weights, animate an image from the entry alone."""

import numpy as np
import pytest
import torch
from diffusers.pipelines.cosmos import pipeline_cosmos2_video2world

from scripts.common.backends import load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.items import GENERATED_INDEX
from scripts.common.tables import read_table
from scripts.generate.any_pipeline import denoisers, skip_steps
from scripts.generate.generate_videos import generate_videos
from tests.generate.made_up import picture, write_prompts
from tests.generate.tiny_pipelines import Guardrail, save_tiny

SHEET = read_sheets(ROOT / "config")["generators"]
ENTRIES = {
    name: entry for name, entry in SHEET.items() if "pipeline" in (entry.get("settings") or {})
}
IMAGE = picture("a cat", width=60, height=40)
SEED = 2**62
# Frames that a class gives for those asked for, where it is not as many: whole sections, or less a first piece.
FRAMES = {"hunyuan_video": 5, "framepack": 13, "helios": 33}


@pytest.fixture(scope="module", params=ENTRIES)
def tiny(request, tmp_path_factory):
    """Load an entry as a job does, from a cache of the hub that has its model in tiny."""
    torch.set_num_threads(1)
    hub = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
        patch.setattr(pipeline_cosmos2_video2world, "CosmosSafetyChecker", Guardrail)
        torch.compiler.set_stance("force_eager")  # AnyFlow's attention takes seconds to trace
        entry = save_tiny(request.param, SHEET[request.param], hub)
        yield request.param, entry["settings"], load_backend(entry, device="cpu")
        torch.compiler.set_stance("default")


def test_an_entry_animates_an_image(tiny):
    name, settings, generator = tiny
    first, fps, *sound = generator.generate(IMAGE, "a cat waves", seed=SEED)
    assert [track.samples.ndim for track in sound] == [2] * (
        "sound_of" in settings.get("output", {})
    )
    assert all(track.rate == 16_000 and np.ptp(track.samples) > 0 for track in sound)
    call, size = settings["call"], settings["size"]
    wanted = FRAMES.get(name) or call.get("num_frames") or call["frames"]
    # A model's own size follows the picture's proportions.
    sides = (size["height"], size["width"]) if "width" in size else (12, 16)
    assert first.shape == (wanted, *sides, 3) and first.dtype == np.uint8
    assert fps == settings["fps"] and first.std() > 1
    torch.rand(3)  # whatever else drew numbers in between
    again = [generator.generate(IMAGE, "a cat waves", seed=SEED)[0],
             generator.generate(IMAGE, "a cat waves", seed=3)[0],
             generator.generate(255 - IMAGE, "a cat waves", seed=SEED)[0],
             generator.generate(IMAGE, "zoom in on the sea", seed=SEED)[0]]  # fmt: skip
    takes_no_text = name == "svd"
    same = [np.array_equal(first, each) for each in again]
    assert same == [True, False, False, takes_no_text]


def test_a_model_is_built_as_its_entry_says(tiny):
    _, settings, generator = tiny
    pipeline = generator._pipeline
    for name, part in settings.get("parts", {}).items():
        made = getattr(pipeline, name)
        assert type(made).__name__ == part["class"]
        if "precision" in part:
            assert made.dtype == getattr(torch, part["precision"])
    main = getattr(pipeline, "transformer", None) or pipeline.unet
    assert main.dtype == getattr(torch, settings.get("precision", "bfloat16"))
    scheduler = dict(settings.get("scheduler", {}))
    kind = scheduler.pop("class", type(pipeline.scheduler).__name__)
    assert type(pipeline.scheduler).__name__ == kind
    assert {key: pipeline.scheduler.config[key] for key in scheduler} == scheduler
    guider = settings.get("guider", {})
    assert {key: pipeline.guider.config[key] for key in guider} == guider
    if settings.get("memory", {}).get("vae_tiling"):
        assert pipeline.vae.use_tiling


def test_what_a_guardrail_refuses_is_a_counted_row(tmp_path, monkeypatch):
    """Twelve in a row would stop a job if they were failures of the generator."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(pipeline_cosmos2_video2world, "CosmosSafetyChecker", Guardrail)
    texts = [f"forbidden {number}" for number in range(12)] + ["an unsafe end", "a cat waves"]
    counts = generate_videos(
        **write_prompts(tmp_path, texts), tar=tmp_path / "a.tar", index=tmp_path / "a.parquet",
        entry=save_tiny("cosmos_predict2", SHEET["cosmos_predict2"], tmp_path), shard="00000",
        generator="cosmos_predict2", shards=1, seed=1, ledger_root=tmp_path / "ledger",
    )  # fmt: skip
    assert (counts.read, counts.kept, dict(counts.rejected)) == (14, 1, {"guardrail_refused": 13})
    rows = read_table(tmp_path / "a.parquet", GENERATED_INDEX).to_pylist()
    reasons = {row["uuid"]: row["reason"] for row in rows}
    assert reasons.pop(prompt_uuid("a cat waves")) is None
    assert set(reasons.values()) == {"guardrail_refused"}


# A cache's arguments with which four steps are enough to skip something.
SOON = {
    "FirstBlockCacheConfig": {"threshold": 1e9},
    "PyramidAttentionBroadcastConfig": {},
    "TaylorSeerCacheConfig": {"cache_interval": 2, "disable_cache_before_step": 1},
}


def test_a_cache_computes_less_and_keeps_nothing_for_the_next_video(tiny):
    name, _, generator = tiny
    if "fast" not in SHEET[name]:
        with pytest.raises(UserError, match="does not go with"):
            skip_steps(generator._pipeline, {"class": "FirstBlockCacheConfig", "thresh": 1})
        return
    cache = SHEET[name]["fast"]
    generator._call["num_inference_steps"] = 4
    plain, slow = count_layers(generator)
    skip_steps(generator._pipeline, cache | SOON[cache["class"]])
    networks = [
        generator._pipeline.components.get(part) for part in ("transformer", "transformer_2")
    ]
    assert all(one.is_cache_enabled for one in networks if one is not None)
    assert len(denoisers(generator._pipeline)) == 2 - networks.count(None)
    first, fast = count_layers(generator)
    assert fast < slow and not np.array_equal(plain, first)
    assert np.array_equal(first, count_layers(generator)[0])


def count_layers(generator):
    """Return a video, and how many linear layers its denoisers ran."""
    calls = []
    hooks = [
        layer.register_forward_hook(lambda *given: calls.append(1))
        for part in denoisers(generator._pipeline)
        for layer in part.modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    frames, *_ = generator.generate(IMAGE, "a cat waves", seed=SEED)
    for hook in hooks:
        hook.remove()
    return frames, len(calls)
