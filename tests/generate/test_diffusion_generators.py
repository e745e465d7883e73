"""What all pipelines share: loading, fitting images, reading frames; and I2VGen-XL's own."""

import numpy as np
import pytest
import torch
from diffusers import StableVideoDiffusionPipeline

from scripts.common.backends import load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import Rejected, UserError
from scripts.generate.diffusion import fit_image, frames_of, load_pipeline, sound_of
from tests.generate.tiny_pipelines import save_tiny

SHEET = read_sheets(ROOT / "config")["generators"]


def test_the_text_embedding_is_the_one_of_the_pipeline(tmp_path, monkeypatch):
    """Held against the pipeline's own encoding, on the layer names of transformers 4."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    generator = load_backend(save_tiny("i2vgenxl", SHEET["i2vgenxl"], tmp_path), device="cpu")
    pipeline = generator._pipeline
    embeddings = generator._embed("a cat"), generator._unwanted
    if not hasattr(pipeline.text_encoder, "text_model"):  # transformers 5: its parts are its own
        pipeline.text_encoder.__dict__["text_model"] = pipeline.text_encoder
    pipeline._guidance_scale = 9.0
    unwanted = SHEET["i2vgenxl"]["settings"]["negative_prompt"]
    with torch.inference_mode():
        wanted = pipeline.encode_prompt(
            "a cat", torch.device("cpu"), 1, negative_prompt=unwanted, clip_skip=1
        )
    assert all(map(torch.equal, embeddings, wanted))


def test_the_papers_models_have_their_quirks():
    svd, cog = SHEET["svd"]["settings"], SHEET["cogvideox"]["settings"]
    assert svd["call"]["fps"] == svd["fps"], "the rate of the file is SVD's condition as well"
    assert svd["call"]["min_guidance_scale"] < svd["call"]["max_guidance_scale"]
    assert cog["call"]["use_dynamic_cfg"]
    assert cog["scheduler"] == {"class": "CogVideoXDPMScheduler", "timestep_spacing": "trailing"}


def test_missing_weights_are_one_sentence(tmp_path, monkeypatch):
    place = {"precision": "float16", "variant": None, "device": "cpu"}
    with pytest.raises(UserError, match=r"folder .*nowhere is missing.*run make check"):
        load_pipeline(StableVideoDiffusionPipeline, {"path": str(tmp_path / "nowhere")}, **place)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"weights at stability/svd cannot be loaded"):
        load_pipeline(
            StableVideoDiffusionPipeline, {"hub": "stability/svd", "revision": "a" * 40}, **place
        )


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

        audio = torch.tensor([[[0.5, 2.0, -3.0]]])

    with pytest.raises(Rejected, match="not_a_number"):
        frames_of(Output())
    assert sound_of(Output()).tolist() == [[0.5, 1.0, -1.0]]
    Output.audio[0, 0, 1] = np.nan
    with pytest.raises(Rejected, match="not_a_number: the sound"):
        sound_of(Output())
