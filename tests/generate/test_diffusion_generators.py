"""The paper's diffusion models: the real classes of diffusers, with tiny random weights."""

import numpy as np
import pytest
import torch

from scripts.common.errors import Rejected, UserError
from scripts.generate.cogvideox import CogVideoX
from scripts.generate.diffusion import fit_image, frames_of
from scripts.generate.i2vgen_xl import I2VGenXL
from scripts.generate.stable_video import StableVideo
from tests.generate import tiny_pipelines
from tests.generate.made_up import picture

COMMON = {"precision": "float32", "device": "cpu", "steps": 2}
MODELS = {
    "stable_video": (
        StableVideo,
        {"width": 64, "height": 64, "fit": "crop", "frames": 4, "fps": 7, "decode_chunk_size": 2}
        | {"min_guidance_scale": 1.0, "max_guidance_scale": 3.0}
        | {"motion_bucket_id": 127, "noise_aug_strength": 0.02},
    ),
    "cogvideox": (
        CogVideoX,
        {"width": 16, "height": 16, "fit": "stretch", "frames": 9, "fps": 8, "max_tokens": 16}
        | {"guidance_scale": 6.0, "dynamic_guidance": True},
    ),
    "i2vgen_xl": (
        I2VGenXL,
        {"width": 32, "height": 32, "fit": "pad", "frames": 4, "fps": 8, "target_fps": 16}
        | {"guidance_scale": 9.0, "negative_prompt": "ugly"},
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory):
    """Load a model from weights on disk, as an entry of the sheet would."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("weights") / request.param
    getattr(tiny_pipelines, f"save_{request.param}")(folder)
    kind, settings = MODELS[request.param]
    return kind({"path": str(folder)}, **COMMON | settings), settings


def test_a_model_animates_an_image_as_its_seed_and_prompt_say(model):
    generator, settings = model
    image = picture("a cat", width=60, height=40)
    first, fps = generator.generate(image, "a cat waves", seed=2**62)
    assert first.shape == (settings["frames"], settings["height"], settings["width"], 3)
    assert first.dtype == np.uint8
    assert fps == settings["fps"]
    assert first.std() > 1
    torch.rand(3)  # whatever else drew numbers in between
    other, _ = generator.generate(image, "zoom in on the sea", seed=2**62)
    takes_no_text = isinstance(generator, StableVideo)
    assert np.array_equal(first, other) == takes_no_text
    if not takes_no_text:
        assert np.array_equal(first, generator.generate(image, "a cat waves", seed=2**62)[0])
    assert not np.array_equal(first, generator.generate(image, "a cat waves", seed=3)[0])
    assert not np.array_equal(first, generator.generate(255 - image, "a cat waves", seed=2**62)[0])


def test_the_text_embedding_is_the_one_of_the_pipeline(tmp_path):
    """Held against the pipeline's own encoding, on the layer names of transformers 4."""
    torch.manual_seed(0)
    tiny_pipelines.save_i2vgen_xl(tmp_path / "weights")
    kind, settings = MODELS["i2vgen_xl"]
    generator = kind({"path": str(tmp_path / "weights")}, **COMMON | settings)
    pipeline = generator._pipeline
    embeddings = generator._embed("a cat"), generator._unwanted
    if not hasattr(pipeline.text_encoder, "text_model"):  # transformers 5: its parts are its own
        pipeline.text_encoder.__dict__["text_model"] = pipeline.text_encoder
    pipeline._guidance_scale = 9.0
    with torch.inference_mode():
        wanted = pipeline.encode_prompt(
            "a cat", torch.device("cpu"), 1, negative_prompt="ugly", clip_skip=1
        )
    assert all(map(torch.equal, embeddings, wanted))


@pytest.mark.parametrize("dynamic", [True, False])
def test_cogvideox_swings_its_guidance_with_its_own_scheduler(tmp_path, dynamic):
    tiny_pipelines.save_cogvideox(tmp_path / "weights")
    kind, settings = MODELS["cogvideox"]
    settings = COMMON | settings | {"dynamic_guidance": dynamic}
    generator = kind({"path": str(tmp_path / "weights")}, **settings)
    name = type(generator._pipeline.scheduler).__name__
    spacing = generator._pipeline.scheduler.config.timestep_spacing
    if dynamic:
        assert (name, spacing) == ("CogVideoXDPMScheduler", "trailing")
    else:
        assert name == "CogVideoXDDIMScheduler"


def test_missing_weights_are_one_sentence(tmp_path, monkeypatch):
    kind, settings = MODELS["stable_video"]
    with pytest.raises(UserError, match=r"folder .*nowhere is missing.*run make check"):
        kind({"path": str(tmp_path / "nowhere")}, **COMMON | settings)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"weights at stability/svd cannot be loaded"):
        kind({"hub": "stability/svd", "revision": "a" * 40}, **COMMON | settings)


def test_weights_are_found_in_the_hubs_cache_at_their_revision(tmp_path, monkeypatch):
    revision = "c" * 40
    folder = tmp_path / "models--THUDM--tiny" / "snapshots" / revision
    folder.parent.mkdir(parents=True)
    tiny_pipelines.save_cogvideox(folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    kind, settings = MODELS["cogvideox"]
    generator = kind({"hub": "THUDM/tiny", "revision": revision}, **COMMON | settings)
    assert len(generator.generate(picture("a"), "a cat", seed=1)[0]) == 9


def test_fitting_crops_pads_or_stretches():
    image = np.zeros((20, 60, 3), np.uint8)
    image[:, :10], image[:, 25:35] = (255, 0, 0), (0, 0, 255)
    crop, pad, stretch = (
        np.asarray(fit_image(image, 40, 40, fit)) for fit in ("crop", "pad", "stretch")
    )
    assert crop.shape == pad.shape == stretch.shape == (40, 40, 3)
    assert crop[20, 20, 2] > 200 and crop[..., 0].max() < 60  # the red edge is cut off
    assert not pad[:10].any() and pad[20, 2, 0] > 200
    assert stretch[0, 2, 0] > 200 and stretch[39, 20, 2] > 200
    with pytest.raises(UserError, match=r"settings\.fit is 'squeeze'"):
        fit_image(image, 40, 40, "squeeze")


def test_frames_that_are_no_numbers_fail():
    class Output:
        frames = np.full((1, 2, 4, 4, 3), np.nan)

    with pytest.raises(Rejected, match="not_a_number"):
        frames_of(Output())
