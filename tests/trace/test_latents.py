"""Tracers by latents: the published layouts of encoder and map, and a map that is learnt."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch.nn import functional

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.common.weight_files import check_weights
from scripts.models import weights as weights_module
from scripts.trace import latent_tracer
from scripts.trace.latent_tracer import STABLE_DIFFUSION, LatentMap, LatentTracer
from scripts.trace.train_cosface import train_cosface
from tests.trace.test_foreign_checkpoints import assert_same, images, pixels_of, seed  # noqa: F401
from tests.trace.test_training import ENTRY, files, trace  # noqa: F401

SHEET = read_sheets(ROOT / "config")["tracers"]
TINY = SHEET["latents_tiny"]["settings"]
OLDER = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@pytest.fixture
def vae(tmp_path):
    """A tiny autoencoder as diffusers publishes it."""
    shape = TINY["vae"] | {"up_block_types": ["UpDecoderBlock2D"] * 3}
    network = AutoencoderKL(**shape).eval()
    for parameter in network.parameters():
        parameter.data.normal_(std=0.3)
    return network


def published(vae, path, names=OLDER):
    state = vae.state_dict()
    for new, old in names.items():
        state = {
            name.replace(f"attentions.0.{new}.", f"attentions.0.{old}."): tensor
            for name, tensor in state.items()
        }
    save_file({name: tensor.contiguous().half() for name, tensor in state.items()}, path)


@pytest.mark.parametrize("names", [OLDER, {}])
def test_id2(tmp_path, images, vae, names, monkeypatch):  # noqa: F811
    """The mean of the latents, unscaled, as one row by channels; then the published matrix."""
    published(vae, tmp_path / "vae.safetensors", names)
    matrix = torch.randn(7, 4 * 8 * 8)
    torch.save(matrix, tmp_path / "map.pth.tar")
    settings = SHEET["id2"]["settings"] | {"vae": TINY["vae"], "image_size": 32, "dimension": 7}
    found = latent_tracer.weights_file
    monkeypatch.setattr(
        latent_tracer,
        "weights_file",
        lambda w, f=None: tmp_path / "vae.safetensors" if "hub" in w else found(w, f),
    )
    where = {"hub": "a/b", "revision": "main", "path": str(tmp_path / "map.pth.tar")}
    tracer = LatentTracer(where, **settings)
    pixels = pixels_of(images, 32, "half", "bilinear")
    assert pixels.min() < -0.5 and pixels.max() <= 1
    with torch.inference_mode():
        latents = vae.half().float().encode(pixels).latent_dist.mean
        expected = latents.reshape(len(images), -1) @ matrix.T
    vectors = tracer.embed(images)
    expected = functional.normalize(expected, dim=1).numpy()
    np.testing.assert_allclose(vectors, expected, atol=2e-4)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_without_weights_it_describes_alike_each_time(images):  # noqa: F811
    """The demo's row: the same input gives the same bytes, whatever was drawn before."""
    first = LatentTracer(None, **TINY).embed(images)
    torch.rand(3)
    np.testing.assert_array_equal(LatentTracer(None, **TINY).embed(images), first)
    assert np.abs(first[0] - first[1]).max() > 1e-3


def test_the_sheets_shape_is_that_of_id2():
    with torch.device("meta"):
        network = LatentMap({}, SHEET["id2"]["settings"]["image_size"], 512)
        whole = AutoencoderKL(
            **STABLE_DIFFUSION | {"out_channels": 3}, up_block_types=["UpDecoderBlock2D"] * 4
        )
    assert network.map.weight.shape == (512, 4096)
    own = {
        name: tensor.shape for name, tensor in network.state_dict().items() if name != "map.weight"
    }
    theirs = {name: tensor.shape for name, tensor in whole.state_dict().items()}
    assert own == {n: s for n, s in theirs.items() if n.startswith(("encoder.", "quant_conv."))}


def test_another_autoencoder_is_refused(tmp_path, vae, monkeypatch):
    published(vae, tmp_path / "vae.safetensors")
    monkeypatch.setattr(latent_tracer, "weights_file", lambda *_: tmp_path / "vae.safetensors")
    other = TINY | {"vae": TINY["vae"] | {"layers_per_block": 2}}
    with pytest.raises(UserError, match="is of another architecture"):
        LatentTracer.trainable({"hub": "a/b", "revision": "main"}, other)


def test_both_of_two_weights_are_looked_for(tmp_path):
    where = {
        "hub": "a/b",
        "revision": "main",
        "file": "v",
        "path": str(tmp_path / "m"),
        "url": "https://x/m",
    }
    of_hub, of_path = check_weights("id2", where)
    assert "hf download a/b v --revision main" in of_hub
    assert "curl -fL" in of_path and "https://x/m" in of_path


def test_only_the_map_learns_and_what_is_kept_describes_pictures(trace, images, tmp_path):  # noqa: F811
    """Through the one training loop, by entry; the frozen encoder is kept beside the map."""
    entry = {
        "backend": "scripts.trace.latent_tracer:LatentTracer",
        "settings": TINY,
        "training": ENTRY["training"] | {"drop_path": 0.0},
    }
    outputs = {"weights": tmp_path / "map.safetensors", "training": tmp_path / "training.csv"}
    train_cosface(
        **files(trace, trace.generators),
        **outputs,
        entry=entry,
        seed=1,
        ledger_root=tmp_path / "ledger",
    )
    kept = load_file(outputs["weights"])
    start = LatentTracer.trainable(None, TINY).state_dict()
    assert kept.keys() == start.keys()
    for name, tensor in kept.items():
        assert torch.equal(tensor, start[name]) == (name != "map.weight"), name
    tracer = LatentTracer({"path": str(outputs["weights"])}, **TINY)
    network = LatentMap(TINY["vae"], 32, TINY["dimension"])
    weights_module.load_exactly(network, kept, outputs["weights"])
    with torch.inference_mode():
        assert_same(tracer, images, network.eval()(pixels_of(images, 32, "half")))


def test_what_cannot_be_trained_says_so():
    from scripts.trace.cosface_training import build_lesson

    entry = {"backend": "scripts.trace.perceptual_hash:PerceptualHash", "settings": {}}
    with pytest.raises(UserError, match="a PerceptualHash cannot be trained; name another"):
        build_lesson(entry, 3)
