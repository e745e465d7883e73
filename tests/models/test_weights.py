"""Weights are read without running code, and what is wrong with them is said in one sentence."""

import argparse
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from scripts.common.errors import UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.weight_files import weights_file
from scripts.models.weights import cut_prefix, load_exactly, load_once, read_tensors, rename_keys


@pytest.mark.parametrize("name", ["layer.safetensors", "layer.pth"])
def test_both_formats_are_read(tmp_path, name):
    layer = nn.Linear(3, 2)
    path = tmp_path / name
    save = save_file if path.suffix == ".safetensors" else torch.save
    save(layer.state_dict(), path)
    other = nn.Linear(3, 2)
    load_exactly(other, read_tensors(path), path)
    assert torch.equal(other.weight, layer.weight)


def test_a_nested_checkpoint_with_its_training_s_command_line(tmp_path):
    path = tmp_path / "model.pth"
    state = {"module.weight": torch.zeros(2), "module.epoch": 3}
    told = argparse.Namespace(folder=Path("runs"))
    torch.save({"model": {"trunk": state}, "args": told}, path)
    assert list(cut_prefix(read_tensors(path, "model.trunk"), r"module\.")) == ["weight"]
    with pytest.raises(UserError, match=r"has no 'model\.head' \('head' is missing\)"):
        read_tensors(path, "model.head")
    with pytest.raises(UserError, match=r"holds no tensors at 'ema'"):
        read_tensors(path, "ema", or_bare=True)
    with pytest.raises(UserError, match=r"holds no tensors at 'args'"):
        read_tensors(path, "args")
    torch.save(torch.ones(3), path)
    assert torch.equal(read_tensors(path)[""], torch.ones(3))
    torch.save(nn.Linear(3, 2).state_dict(), path)
    assert read_tensors(path, "model", or_bare=True).keys() == {"weight", "bias"}


def test_names_are_changed_by_the_first_pattern_that_fits():
    state = {"blocks.0.w": 1, "head.w": 2, "other": 3}
    keys = [(r"blocks\.(\d+)", r"layer\1"), ("head", "fc")]
    assert rename_keys(state, keys) == {"layer0.w": 1, "fc.w": 2}
    assert rename_keys(state, drop=["head"]) == {"blocks.0.w": 1, "other": 3}


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_with_code_is_refused(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match=r"evil\.pth cannot be read"):
        read_tensors(path)
    torch.save({"weight": Evil()}, path)
    with pytest.raises(UserError, match=r"evil\.pth cannot be read"):
        read_tensors(path)
    assert "code ran" not in capsys.readouterr().out


def test_faults_are_named(tmp_path):
    path = tmp_path / "layer.pth"
    fetch = r"missing; fetch it with: curl -fL --create-dirs -o \S+ https://x\.org"
    with pytest.raises(UserError, match=fetch):
        weights_file({"path": str(path), "url": "https://x.org/layer.pth"})
    with pytest.raises(UserError, match="missing; make check tells"):
        read_tensors(path)
    torch.save(nn.Linear(3, 2).state_dict(), path)
    assert weights_file({"path": str(path), "sha256": sha256_of(path)}) == path
    with pytest.raises(UserError, match="another checksum"):
        weights_file({"path": str(path), "sha256": "0" * 64})
    with pytest.raises(UserError, match="names no weights"):
        weights_file(None)
    with pytest.raises(UserError, match=r"layer\.pth is of another .* of another shape \(weight\)"):
        load_exactly(nn.Linear(4, 2), read_tensors(path), path)
    with pytest.raises(UserError, match=r"1 left over \(bias\)"):
        load_exactly(nn.Linear(3, 2, bias=False), read_tensors(path), path)
    path.write_bytes(b"not weights")
    with pytest.raises(UserError, match=r"layer\.pth cannot be read as tensors alone"):
        read_tensors(path)


def test_a_file_of_the_hub_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    weights = {"hub": "timm/none", "revision": "a" * 40, "file": "open_clip_model.safetensors"}
    with pytest.raises(UserError, match=r"hf download timm/none open_clip_model\.safetensors"):
        weights_file(weights)


def test_a_network_is_loaded_once_while_it_is_used():
    first = load_once(lambda: nn.Linear(1, 1), "layer", "cpu")
    assert load_once(lambda: nn.Linear(1, 1), "layer", "cpu") is first
    assert load_once(lambda: nn.Linear(1, 1), "layer", "cuda") is not first
    weight = first.weight
    del first
    assert load_once(lambda: nn.Linear(1, 1), "layer", "cpu").weight is not weight
