"""The paper's entries of config/dimensions.yaml, built without weights, against published values."""

import numpy as np
import open_clip
import pytest
import torch

from scripts.common.backends import load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.evaluate import dino_features, raft_flow, vbench_clip
from scripts.models import clip
from tests.evaluate.moving_pictures import item_of, pan

DIMENSIONS = read_sheets(ROOT / "config")["dimensions"]
CLIPS = ["background_consistency", "aesthetic_quality", "temporal_consistency",
         "video_text_alignment", "video_image_alignment"]  # fmt: skip


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Return what builds an entry's dimension on the device that holds no numbers."""
    for module in (clip, dino_features, raft_flow, vbench_clip):
        monkeypatch.setattr(module, "weights_file", lambda *args: tmp_path)
        monkeypatch.setattr(module, "read_tensors", lambda path: {"weight": torch.zeros(1, 768)})
        monkeypatch.setattr(module, "load_exactly", lambda *args: None)

    def build(name):
        with torch.device("meta"):
            return load_backend(DIMENSIONS[name], device="meta")

    return build


def weights_of(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", CLIPS)
def test_clip_is_openais(build, name):
    network = build(name)._model.network
    # As OpenAI counts them: ViT-B/32 in VBench's background, ViT-L/14 in all others.
    assert weights_of(network) == (151_277_313 if name == CLIPS[0] else 427_616_513)
    assert network.visual.image_size == (224, 224)
    activations = [m for m in network.modules() if "GELU" in type(m).__name__]
    assert activations
    for activation in activations:  # x sigmoid(1.702 x); of the usual one it would be 0.8413
        assert activation(torch.ones(1)).item() == pytest.approx(0.845796, abs=1e-5)
    assert isinstance(activations[0], open_clip.transformer.QuickGELU)


def test_dino_is_vit_b_16_on_a_shorter_side_of_224(build):
    dimension = build("subject_consistency")
    assert weights_of(dimension._network) == 85_798_656  # dino_vitbase16_pretrain.pth
    seen = []
    dimension._device = torch.device("cpu")
    dimension._network = lambda pixels: seen.append(pixels.shape) or torch.ones(len(pixels), 768)
    dimension.score(item_of(pan(2, 4, height=360, width=640)))
    # 224 x 398, of which 14 x 24 patches of 16 pixels are whole.
    assert seen == [(2, 3, 224, 384)]


def test_raft_refines_twenty_times(build):
    dimension = build("dynamic_degree")
    assert weights_of(dimension._network) == 5_257_536  # torchvision's C_T_V1, raft-things
    seen = []

    def network(before, after, num_flow_updates):
        seen.append(num_flow_updates)
        return [torch.zeros(1, 2, *before.shape[-2:])]

    dimension._device, dimension._network = torch.device("cpu"), network
    dimension.flow(*pan(2, 4))
    assert seen == [20]


@pytest.mark.parametrize("name", ["subject_consistency", "background_consistency"])
def test_consistency_is_vbenchs(build, monkeypatch, name):
    """Each frame beside the one before and the first, with negative cosines as 0."""
    dimension = build(name)
    angles = np.radians([0, 60, 120])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if name == "subject_consistency":
        monkeypatch.setattr(dimension, "embed", lambda frames: features)
    else:
        monkeypatch.setattr(dimension._model, "embed_pixels", lambda pixels: features)
    # (0.5 + 0.5) / 2 and (0.5 + 0) / 2; the mean of neighbours alone is 0.5.
    assert dimension.score(item_of(pan(3, 4))) == pytest.approx(0.375)


def test_dimensions_on_one_network_share_it_and_its_features(build, monkeypatch):
    names = ("temporal_consistency", "video_text_alignment", "video_image_alignment")
    temporal, text, image = (build(name) for name in names)
    assert temporal._model.network is text._model.network is image._model.network
    assert build("background_consistency")._model.network is not text._model.network
    seen = []

    def embed(pixels):
        seen.append(len(pixels))
        return np.full((len(pixels), 4), 0.5)

    for dimension in (temporal, text, image):
        monkeypatch.setattr(dimension._model, "embed_pixels", embed)
    monkeypatch.setattr(text._model, "embed_text", lambda prompt: np.full(4, 0.5))
    item = item_of(pan(20, 4))
    assert [dimension.score(item) for dimension in (temporal, text, image)] == [1, 1, 1]
    assert seen == [16, 21]  # the first 16 once for two; all, and the image prompt
    temporal.score(item_of(pan(5, 4)))
    assert seen == [16, 21, 5]
