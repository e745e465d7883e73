"""DreamSim, with which the suite scores I2V background: held to numbers of its authors' own code.

DreamSim db4d16c with peft 0.21.2 ran once, around it VBench-I2V 45e79ec's transforms and rule, with
weights and frames of ``drawn_weights``, on a CPU.
"""

import json
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save

from scripts.common.backends import load_backend
from scripts.common.errors import Rejected, UserError
from scripts.evaluate import dreamsim
from tests.evaluate.drawn_weights import drawn_frames, drawn_tensor
from tests.evaluate.moving_pictures import item_of

WIDTH, RANK = 48, 4


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def drawn_state(network, prefix):
    """Return drawn weights under the names of the published files."""
    state = {
        name.replace("norm_pre.", "pos_drop."): its for name, its in network.state_dict().items()
    }
    state.pop("head.weight", None)
    return {name: drawn_tensor(prefix + name, its.shape) for name, its in state.items()}


def write_weights(folder, layers="attn.qkv", blocks=12):
    """Write DINO's file and the archive; return the entry's weights."""
    dino, *clips = dreamsim.ensemble(WIDTH)
    state = drawn_state(dino, "dino.")
    norm = {f"norm.{what}": torch.full((WIDTH,), 9.0) for what in ("weight", "bias")}
    torch.save(state | norm, folder / "dino.pth")
    adapter = {}
    for number in range(3):
        for block in range(blocks):
            name = f"base_model.model.extractor_list.{number}.model.blocks.{block}.{layers}.lora_"
            for half, shape in (("A", (RANK, WIDTH)), ("B", (3 * WIDTH, RANK))):
                adapter[f"{name}{half}.weight"] = drawn_tensor(f"{name}{half}.weight", shape)
    with zipfile.ZipFile(folder / "dreamsim.zip", "w") as archive:
        for prefix, network in zip(("clip", "open_clip"), clips, strict=True):
            state = drawn_state(network, f"{prefix}.")
            state["proj"] = drawn_tensor(f"{prefix}.proj", (WIDTH, WIDTH * 2 // 3))
            with archive.open(f"{prefix}_vitb16_pretrain.pth.tar", "w") as file:
                torch.save({"state_dict": state}, file)
        archive.writestr(dreamsim.ADAPTER, save(adapter))
        archive.writestr(dreamsim.ADAPTER_SETTINGS, json.dumps({"r": RANK, "lora_alpha": 2}))
    return {"hub": "x", "path": str(folder / "dreamsim.zip")}


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return what builds the dimension of an archive."""
    found = dreamsim.weights_file
    monkeypatch.setattr(
        dreamsim, "weights_file",
        lambda weights: tmp_path / "dino.pth" if "hub" in weights else found(weights),
    )  # fmt: skip

    def build(**settings):
        entry = {"backend": "scripts.evaluate.dreamsim:ImageFaithfulnessDreamSim"}
        entry |= {"weights": write_weights(tmp_path, **settings), "settings": {"width": WIDTH}}
        return load_backend(entry, device="cpu")

    return build


def test_dreamsim_scores_as_the_reference(build):
    backend, frames = build(), drawn_frames(5, 90, 160)
    embedded = backend.embed(frames[:1])[0]
    assert embedded.shape == (112,)
    assert embedded.astype(float).std() * (112 / 111) ** 0.5 == pytest.approx(
        0.09491579826, abs=1e-7
    )
    assert embedded[:3] == pytest.approx([0.07388734, 0.21342245, 0.11270502], abs=2e-4)
    score = backend.score(item_of(frames, image=drawn_frames(1, 120, 130)[0]))
    assert score == pytest.approx(0.9505175292491913, abs=1e-5)
    backend._batch_size = 2
    assert np.abs(backend.embed(frames)[:1] - embedded).max() < 1e-6
    with pytest.raises(Rejected, match="too_few_frames"):
        backend.score(item_of(frames[:1]))


def test_full_size_has_the_published_layout():
    with torch.device("meta"):
        networks = dreamsim.ensemble()
    # DINO's ViT-B/16 without its last norm; CLIP's with one more, and a projection.
    counts = [sum(its.numel() for its in network.parameters()) for network in networks]
    assert counts == [85_798_656 - 2 * 768, *[85_798_656 + 2 * 768 + 768 * 512] * 2]
    assert [len(network.state_dict()) for network in networks] == [148, 153, 153]


@pytest.mark.parametrize("settings", [{"layers": "mlp.fc1"}, {"blocks": 11}])
def test_an_adapter_of_something_else_is_refused(build, settings):
    with pytest.raises(UserError, match="another architecture: its adapter"):
        build(**settings)


def test_what_is_no_archive_of_dreamsim_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"clip_vitb16_pretrain\.pth\.tar that can be read"):
        dreamsim.read_clips(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("other", "x")
    with pytest.raises(UserError, match=r"adapter_config\.json that can be read"):
        dreamsim.read_adapters(tmp_path / "a.zip")
