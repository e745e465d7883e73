"""MUSIQ, AMT-S and DOVER, which no library has: held to numbers of their authors' own code.

Each reference ran once with weights and frames of ``drawn_weights``, on a CPU: MUSIQ of IQA-PyTorch
01ae427, AMT-S of MCG-NKU/AMT with VBench 45e79ec around it, DOVER f1ddc96 with its own sampling.
"""

import re

import numpy as np
import pytest
import torch

from scripts.common.backends import load_backend
from scripts.common.errors import Rejected, UserError
from scripts.evaluate import amt, dover, musiq
from tests.evaluate.drawn_weights import draw_weights, drawn_frames, drawn_tensor
from tests.evaluate.moving_pictures import item_of, pan, texture


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def backend_of(name, state, folder, **settings):
    path = folder / "weights.pth"
    torch.save(state, path)
    entry = {"backend": f"scripts.evaluate.{name}", "weights": {"path": str(path)}}
    return load_backend(entry | {"settings": settings}, device="cpu")


@pytest.mark.parametrize("make, parameters, tensors", [
    (musiq.Musiq, 27_125_825, 248), (amt.AmtS, 2_990_543, 213),
    (dover.technical_branch, 28_078_620, None), (dover.AestheticBranch, 28_041_120, None),
])  # fmt: skip
def test_full_size_has_the_published_layout(make, parameters, tensors):
    with torch.device("meta"):
        network = make()
    assert sum(each.numel() for each in network.parameters()) == parameters
    assert tensors is None or len(network.state_dict()) == tensors


@pytest.mark.parametrize("shape, score", [
    ((2, 90, 160), -0.45604756474494934),  # at its own size
    ((2, 100, 600), -0.632782518863678),  # reduced to 512 x 85 first
])  # fmt: skip
def test_musiq_scores_as_the_reference(tmp_path, shape, score):
    state = draw_weights(musiq.Musiq(48, 2))
    backend = backend_of("musiq:ImagingQuality", state, tmp_path, width=48, layers=2, batch_size=1)
    assert backend.score(item_of(drawn_frames(*shape))) == pytest.approx(score / 100, abs=1e-7)


def test_musiqs_batches_change_nothing(tmp_path):
    state = draw_weights(musiq.Musiq(48, 1))
    frames = item_of(drawn_frames(5, 40, 50))
    scores = [
        backend_of(
            "musiq:ImagingQuality", state, tmp_path, width=48, layers=1, batch_size=size
        ).score(frames)
        for size in (1, 2, 5)
    ]
    assert np.ptp(scores) < 1e-7


def amts_checkpoint():
    """Return drawn weights under the names that the checkpoint has for them."""
    state = {}
    for name, tensor in amt.AmtS().state_dict().items():
        name = re.sub(r"convnormrelu\.0", "conv1", name.replace("encoder.conv.", "encoder.conv2."))
        name = re.sub(r"convnormrelu(\d)\.0", r"conv\1", name)
        state[name] = drawn_tensor(name, tensor.shape, 0.7)
    return {"state_dict": state}


def test_amt_interpolates_as_the_reference(tmp_path):
    backend = backend_of("amt:MotionSmoothness", amts_checkpoint(), tmp_path)
    frames = drawn_frames(5, 130, 150)  # padded to 144 x 160
    assert backend.score(item_of(frames)) == pytest.approx(0.6904784984079102, abs=1e-6)
    middle = backend.interpolate(frames[2], frames[4])
    assert middle.shape == frames[0].shape and middle.dtype == np.uint8
    assert middle.mean() == pytest.approx(138.28764102564102, abs=1e-3)
    assert middle.std() == pytest.approx(60.95845255462152, abs=1e-3)


def test_amt_says_what_it_cannot_score(tmp_path):
    backend = backend_of("amt:MotionSmoothness", {"state_dict": amt.AmtS().state_dict()}, tmp_path)
    with pytest.raises(Rejected, match="too_small"):
        backend.score(item_of(pan(3, 1, height=96, width=200)))
    with pytest.raises(Rejected, match="too_few_frames"):
        backend.score(item_of(pan(2, 1)))


@pytest.fixture(scope="module")
def quality(tmp_path_factory):
    """DOVER a quarter as wide, with drawn weights under the checkpoint's names."""
    technical, aesthetic, state = dover.technical_branch(24), dover.AestheticBranch(24), {}
    names = {f"technical_backbone.{name}": name for name in _checkpoint_names(technical)}
    drawn = draw_weights(_Named(dict(names), technical))
    state |= drawn | draw_weights(aesthetic, "aesthetic_backbone.")
    for name in ("technical", "aesthetic"):
        state |= draw_weights(dover._head(192), f"{name}_head.")
    return backend_of("dover:Dover", state, tmp_path_factory.mktemp("dover"), width=24)


def _checkpoint_names(network):
    """Return the technical branch's tensors as the checkpoint calls them -> as torchvision does."""
    found = {}
    for name in network.state_dict():
        parts = name.split(".")
        if parts[0] == "features":
            stage, merging = divmod(int(parts[1]), 2)
            rest = ["downsample", *parts[2:]] if merging else ["blocks", *parts[2:]]
            rest = ".".join(rest).replace("mlp.0", "mlp.fc1").replace("mlp.3", "mlp.fc2")
            name = f"layers.{stage}.{rest}"
        found[name] = ".".join(parts)
    return found


class _Named:
    """A network seen under the checkpoint's names."""

    def __init__(self, names, network):
        self._names = {f"technical_backbone.{k}": v for k, v in _checkpoint_names(network).items()}
        self._network = network

    def named_parameters(self):
        own = dict(self._network.named_parameters())
        return [(name, own[its]) for name, its in self._names.items() if its in own]

    def state_dict(self):
        own = self._network.state_dict()
        return {name: own[its] for name, its in self._names.items()}


def test_dovers_branches_as_the_reference(quality):
    draw = torch.Generator().manual_seed(42)
    frames = drawn_frames(25, 240, 300)
    sampled = torch.from_numpy(frames[dover.technical_frames(25, draw)]).permute(0, 3, 1, 2)
    pieces = dover.pieces_of(sampled.float(), draw)
    assert pieces.double().mean().item() == pytest.approx(127.47021546655772)
    assert (pieces[5, 1, 33, 40], pieces[90, 2, 200, 10]) == (131, 223)
    clip = dover.normalise(pieces[:32], dover.IMAGENET).transpose(0, 1)[None]
    with torch.inference_mode():
        found = quality._technical(clip)
    assert found.shape == (1, 192, 16, 7, 7)
    assert found.mean().item() == pytest.approx(-0.004132871516048908, abs=1e-5)
    assert found.std().item() == pytest.approx(0.9929552674293518, abs=1e-6)
    quality._technical = lambda clip: torch.zeros(1, 192, 16, 7, 7)
    assert quality.branches(frames)[1] == pytest.approx(-0.19073154032230377, abs=2e-5)


def test_dovers_pieces_of_a_small_picture_keep_the_reference_s_places():
    draw = torch.Generator().manual_seed(42)
    frames = drawn_frames(40, 150, 240)
    sampled = torch.from_numpy(frames[dover.technical_frames(40, draw)]).permute(0, 3, 1, 2)
    pieces = dover.pieces_of(sampled.float(), draw)
    assert pieces.double().mean().item() == pytest.approx(127.06861901661706)
    assert (pieces[5, 1, 33, 40], pieces[90, 2, 200, 10]) == (130, 214)


def test_dovers_frames():
    draw = torch.Generator()
    frames = dover.technical_frames(200, draw)  # each third has 66 frames: two starts may be drawn
    assert len(frames) == 96 and np.all(np.diff(frames)[:31] == 2)
    assert [start - third for start, third in zip(frames[::32], (0, 66, 132), strict=True)] in [
        [a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)
    ]
    assert dover.technical_frames(40, draw)[19:22] == [38, 0, 2]
    assert dover.aesthetic_frames(25, draw) == [0] * 32  # below 32 frames: always the first
    assert dover.aesthetic_frames(72, draw)[:3] == [0, 2, 4]


@pytest.mark.parametrize("branches, fused", [
    ((0.1107, -0.08285), 0.5), ((0, 0), 0.48414789), ((0.1, 0.05), 0.78289970),
])  # fmt: skip
def test_dover_fuses_by_its_authors_constants(branches, fused):
    assert dover.fuse(*branches) == pytest.approx(fused, abs=1e-8)


def test_dover_fuses_the_technical_branch_first(quality, monkeypatch):
    answers = {"technical": 0.1, "aesthetic": 0.05}
    monkeypatch.setattr(
        quality, "_run", lambda name, network, clip: torch.full((1, 1, 16, 7, 7), answers[name])
    )
    frames = np.stack([texture(64, 80)] * 3)
    assert quality.score(item_of(frames)) == pytest.approx(0.78289970, abs=1e-6)
    assert quality.score(item_of(frames[:1])) == pytest.approx(0.78289970, abs=1e-6)


def test_other_weights_are_named(tmp_path):
    with pytest.raises(UserError, match="another architecture"):
        backend_of("amt:MotionSmoothness", {"state_dict": {"x": torch.ones(1)}}, tmp_path)
    with pytest.raises(UserError, match="another architecture"):
        backend_of("dover:Dover", {"technical_backbone.norm.weight": torch.ones(1)}, tmp_path)
