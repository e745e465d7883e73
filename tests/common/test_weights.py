"""Weights are read without running code, and what is wrong with them is said in one sentence."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from scripts.common.errors import UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.weight_files import weights_file
from scripts.common.weights import load_into, read_weights


@pytest.mark.parametrize("name", ["layer.safetensors", "layer.pth"])
def test_both_formats_are_read(tmp_path, name):
    layer = torch.nn.Linear(3, 2)
    path = tmp_path / name
    save_file(layer.state_dict(), path) if path.suffix == ".safetensors" else torch.save(
        layer.state_dict(), path
    )
    other = torch.nn.Linear(3, 2)
    load_into(other, read_weights(path), path)
    assert torch.equal(other.weight, layer.weight)


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_with_code_is_refused(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match=r"evil\.pth cannot be read"):
        read_weights(path)
    torch.save({"weight": Evil()}, path)
    with pytest.raises(UserError, match=r"evil\.pth cannot be read"):
        read_weights(path)
    assert "code ran" not in capsys.readouterr().out


def test_faults_are_named(tmp_path, monkeypatch):
    path = tmp_path / "layer.pth"
    with pytest.raises(
        UserError, match=r"missing; fetch it with: curl -fL --create-dirs -o \S+ https://x\.org"
    ):
        weights_file({"path": str(path), "url": "https://x.org/layer.pth"})
    torch.save(torch.nn.Linear(3, 2).state_dict(), path)
    assert weights_file({"path": str(path), "sha256": sha256_of(path)}) == path
    with pytest.raises(UserError, match="another checksum"):
        weights_file({"path": str(path), "sha256": "0" * 64})
    with pytest.raises(UserError, match="names no weights"):
        weights_file(None)
    with pytest.raises(
        UserError, match=r"layer\.pth does not fit the architecture \(size mismatch"
    ):
        load_into(torch.nn.Linear(4, 2), read_weights(path), path)


def test_a_file_of_the_hub_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    weights = {"hub": "timm/none", "revision": "a" * 40, "file": "open_clip_model.safetensors"}
    with pytest.raises(UserError, match=r"hf download timm/none open_clip_model\.safetensors"):
        weights_file(weights)
