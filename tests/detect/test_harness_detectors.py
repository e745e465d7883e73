"""LGrad, LNP, DIRE and Fusing: the arithmetic of the harness of Table 3, quirks included.

Numbers that are not worked out by hand were given by the harness (Ekko-zn/AIGCDetectBenchmark at
5cd41a6) for the weights of ``formula_weights`` and the pictures below. Its U-Net and ours differ by
4e-6 of the largest output, the other networks by less; DIRE's 40 steps give the same levels.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.detect.dire import Dire, centre
from scripts.detect.fusing import Fusing, FusingNetwork, patch_places
from scripts.detect.lgrad import LGrad, StyleGanDiscriminator
from scripts.detect.lnp import Denoiser, Lnp
from tests.detect.formula_weights import fill, save_resnet, wave

DETECTORS = read_sheets(ROOT / "config")["detectors"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A folder with a classifier's checkpoint, as CNNSpot's trainer writes it."""
    folder = tmp_path_factory.mktemp("weights")
    save_resnet(folder / "classifier.pth", optimizer={}, total_steps=7)
    return folder


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def lnp(folder, tail=None):
    """Return an LNP with a small denoiser, or with one that gives ``tail`` for every pixel."""
    denoiser = fill(Denoiser(1, 1, 16))
    if tail is not None:
        denoiser.tail[0].weight.data.zero_()
        denoiser.tail[0].bias.data.copy_(torch.tensor(tail))
    state = {f"module.{name}": tensor for name, tensor in denoiser.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, folder / "sidd_rgb.pth")
    size = {"groups": 1, "blocks": 1, "channels": 16}
    return Lnp({"path": str(folder)}, classifier="classifier.pth", device="cpu", **size)


def test_the_denoiser_is_cycleisps():
    with torch.inference_mode():
        found = fill(Denoiser(4, 8, 64)).eval()((wave(1, 3, 8, 6) + 1) / 2)
    expected = torch.tensor([0.35098273, 0.48188099, 0.16456339])
    torch.testing.assert_close(found[0, :, 3, 4], expected, rtol=1e-4, atol=1e-5)
    assert found.abs().sum().item() == pytest.approx(40.189362, rel=1e-4)


def test_noise_is_negated_cut_wrapped_and_turned_round(classifier):
    """-0.25 becomes 64 and wraps to 192; 0.5 is cut off; -1/255 becomes 1 and wraps to 255."""
    (seen,) = lnp(classifier, [-0.25, 0.5, -1 / 255]).seen([picture(20, 30)])
    assert seen.shape == (20, 30, 3) and seen.dtype == np.uint8
    assert np.unique(seen.reshape(-1, 3), axis=0).tolist() == [[255, 0, 192]]


def test_noise_is_of_the_full_size_in_a_batch_or_alone(classifier):
    detector = lnp(classifier)
    pictures = [picture(40, 64, seed) for seed in (1, 2)]
    together = detector.seen(pictures)
    for one, found in zip(pictures, together, strict=True):
        # A level more or less, which wraps: sums of a batch may have another order.
        difference = detector.seen([one])[0].astype(int) - found
        assert (difference != 0).mean() < 0.002
    shapes = [one.shape for one in detector.seen([pictures[0], picture(50, 30)])]
    assert shapes == [(40, 64, 3), (50, 30, 3)]
    scores = detector.score(pictures)
    assert scores.shape == (2,) and ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize(
    ("side", "output", "gradient", "total"),
    [
        (8, -0.12097207, [9.6098318e-6, 8.8268919e-6, 3.8925283e-6], 3.2302508e-3),
        (128, 0.02127885, [7.3400045e-14, 7.0083033e-14, 3.3804866e-14], 3.8130881e-9),
    ],
)
def test_the_discriminator_and_its_gradient_are_stylegans(side, output, gradient, total):
    """A side of 128 has the convolution that halves; 8 halves by means of four."""
    network, pixels = fill(StyleGanDiscriminator(side, 4)), wave(1, 3, side, side).requires_grad_()
    found = network(pixels)
    (slope,) = torch.autograd.grad(found.sum(), pixels)
    assert found.item() == pytest.approx(output, rel=1e-4)
    np.testing.assert_allclose(slope[0, :, 3, 5], gradient, rtol=1e-3)
    assert slope.abs().sum().item() == pytest.approx(total, rel=1e-3)


def lgrad(folder, **settings):
    torch.save(fill(StyleGanDiscriminator(8, 4)).state_dict(), folder / "d.pth")
    names = {"classifier": "classifier.pth", "discriminator": "d.pth"} | settings
    return LGrad({"path": str(folder)}, **names, resolution=8, widest=4, device="cpu")


def test_a_gradient_is_stretched_over_all_channels_and_turned_round(classifier, monkeypatch):
    """Of -1, 0.5 and 3 in three channels: 0, 0.375 x 255 = 95.6 and 255, the last one first."""
    detector = lgrad(classifier)
    slopes = torch.tensor([-1.0, 0.5, 3.0])[None, :, None, None]
    monkeypatch.setattr(detector, "_discriminator", lambda pixels: (pixels * slopes).sum((1, 2, 3)))
    for seen in detector.seen([picture(9, 17), picture(30, 8)]):
        assert seen.shape == (8, 8, 3)
        assert np.unique(seen.reshape(-1, 3), axis=0).tolist() == [[255, 96, 0]]


def test_a_gradient_does_not_depend_on_its_batch(classifier):
    detector = lgrad(classifier)
    pictures = [picture(20, 30, seed) for seed in range(3)]
    for one, found in zip(pictures, detector.seen(pictures), strict=True):
        difference = detector.seen([one])[0].astype(int) - found
        assert np.abs(difference).max() <= 1 and found.max() == 255 and found.min() == 0
    scores = detector.score(pictures)
    np.testing.assert_allclose(scores, [detector.score([one])[0] for one in pictures], atol=1e-2)


@pytest.fixture(scope="module")
def bare(classifier):
    """The same weights as LGrad's authors keep them: a state dict, and nothing around it."""
    state = torch.load(classifier / "classifier.pth", weights_only=True)["model"]
    torch.save(state, classifier / "bare.pth")
    return "bare.pth"


def test_lgrads_authors_see_the_gradient_whole_in_its_own_order(classifier, bare, monkeypatch):
    """Of eval_test8gan.py: no resize, no crop, no key; of gen_imggrad.py: turned before saving."""
    settings = DETECTORS["authors_lgrad"]["settings"]
    detector, image = lgrad(classifier, classifier=bare, **settings), picture(20, 30)
    (mine,), (harness,) = detector.seen([image]), lgrad(classifier).seen([image])
    assert np.array_equal(mine, harness[:, :, ::-1]) and not np.array_equal(mine, harness)
    assert detector.prepare(mine).shape == (3, 8, 8)
    whole = detector.prepare(mine)[0] * 0.229 + 0.485
    np.testing.assert_allclose(whole, mine[:, :, 0] / 255, atol=1e-6)


def test_a_classifier_is_read_with_and_without_its_key(classifier, bare, tmp_path):
    """DIRE's demo.py takes both."""
    image = picture(20, 30)
    scores = [
        lgrad(classifier, classifier=name).score([image]) for name in ("classifier.pth", bare)
    ]
    assert scores[0] == scores[1]
    torch.save({"state": {"model": {}}}, tmp_path / "LGrad.pth")
    with pytest.raises(UserError, match=r"LGrad\.pth holds no tensors at 'model'"):
        LGrad({"path": str(tmp_path)})


def guided_diffusion(narrow, wide):
    """Return a state by guided-diffusion's names: two levels, attention in the second and middle."""
    shapes = {"time_embed.0": (4 * narrow, narrow), "time_embed.2": (4 * narrow, 4 * narrow)}
    shapes |= {
        "input_blocks.0.0": (narrow, 3, 3, 3),
        "out.0": (narrow,),
        "out.2": (6, narrow, 3, 3),
    }
    inward = [(narrow, narrow)] * 3 + [(narrow, wide), (wide, wide)]
    skipped = [wide, wide, narrow, narrow, narrow, narrow]
    resnets = [(f"input_blocks.{n}.0", *ends) for n, ends in enumerate(inward, 1)]
    resnets += [(f"middle_block.{n}", wide, wide) for n in (0, 2)]
    here = wide
    for number, more in enumerate(skipped):
        out = wide if number < 3 else narrow
        resnets.append((f"output_blocks.{number}.0", here + more, out))
        here = out
    resnets.append(("output_blocks.2.2", wide, wide))
    for name, inputs, outputs in resnets:
        shapes |= {f"{name}.in_layers.0": (inputs,), f"{name}.out_layers.0": (outputs,)}
        shapes[f"{name}.in_layers.2"] = (outputs, inputs, 3, 3)
        shapes[f"{name}.emb_layers.1"] = (2 * outputs, 4 * narrow)
        shapes[f"{name}.out_layers.3"] = (outputs, outputs, 3, 3)
        if inputs != outputs:
            shapes[f"{name}.skip_connection"] = (outputs, inputs, 1, 1)
    places = ["input_blocks.4.1", "input_blocks.5.1", "middle_block.1"]
    for name in [*places, *(f"output_blocks.{n}.1" for n in range(3))]:
        shapes |= {f"{name}.norm": (wide,), f"{name}.qkv": (3 * wide, wide, 1)}
        shapes[f"{name}.proj_out"] = (wide, wide, 1)
    state = {f"{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    state |= {f"{name}.bias": torch.zeros(shape[0]) for name, shape in shapes.items()}
    fill(SimpleNamespace(state_dict=lambda: state))
    return state


@pytest.fixture(scope="module")
def dire(classifier):
    state = guided_diffusion(32, 64)
    assert len(state) == 200
    torch.save(state, classifier / "lsun_bedroom.pt")
    small = {"size": 16, "widths": (32, 64), "attention_from": 1, "head": 32, "resize": None}
    weights = {"path": str(classifier)}
    return Dire(weights, classifier="classifier.pth", crop=None, device="cpu", **small)


def test_the_diffusion_model_is_adms(dire):
    with torch.inference_mode():
        found = dire._model(wave(1, 3, 16, 16), 350).sample
    expected = [-1.0965581, 0.9520911, 2.7386029, 3.7677171, 3.7504420, 2.6848493]
    np.testing.assert_allclose(found[0, :, 3, 5], expected, rtol=1e-4)
    assert found.abs().mean().item() == pytest.approx(0.82303095, rel=1e-5)


def test_what_is_lost_there_and_back_is_the_harnesss(dire, monkeypatch):
    """With a noise that a formula predicts: a network of random weights would be chaotic."""

    def predict(x, time):
        return SimpleNamespace(sample=torch.cat([torch.tanh(x) * (0.2 + time / 1500)] * 2, 1))

    monkeypatch.setattr(dire, "_model", predict)
    (seen,) = dire.seen([((wave(16, 16, 3) + 1) * 127.5).numpy().astype(np.uint8)])
    assert seen[0, :4].tolist() == [[4, 0, 0], [4, 0, 3], [0, 0, 3], [1, 4, 1]]
    assert np.bincount(seen.ravel()).tolist() == [232, 197, 88, 101, 150]


def test_dires_authors_checkpoint_is_read_without_a_key_too(dire, classifier, bare):
    """As the sheet's entry says, but for sizes; lsun_adm.pth, beside the same diffusion model."""
    settings = DETECTORS["authors_dire"]["settings"]
    assert settings == DETECTORS["dire"]["settings"] | {"classifier": "lsun_adm.pth"}
    small = {"size": 16, "widths": (32, 64), "attention_from": 1, "head": 32, "device": "cpu"}
    small |= {"resize": None, "crop": None}
    (classifier / settings["classifier"]).symlink_to(classifier / bare)
    found = Dire({"path": str(classifier)}, **settings | small)
    assert found.score([picture(20, 40)]) == dire.score([picture(20, 40)])


def test_dire_scores_in_batches(dire):
    scores = dire.score([picture(20, 40), picture(50, 30)])
    assert scores.shape == (2,) and np.isfinite(scores).all()


def test_a_picture_is_halved_while_it_can_be():
    """64 x 40 becomes 32 x 20, of which the middle 16 of the shorter side scaled to 16."""
    stripes = np.zeros((40, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    found = centre(stripes, 16)
    assert found.shape == (16, 16, 3) and found.dtype == np.float32
    assert set(np.unique(found)) <= {127, 128}


@pytest.mark.parametrize(
    ("height", "width", "places"),
    [
        (240, 330, [(0, 0), (0, 87), (16, 106), (128, 160), (128, 57), (46, 23)]),
        (576, 1024, [(11, 235), (11, 482), (340, 564), (437, 579), (437, 332), (190, 250)]),
        (150, 100, [(0, 0), (0, 0), (0, 0), (38, 0), (38, 0), (11, 0)]),
    ],
)
def test_patches_are_cut_where_the_features_are_strongest(height, width, places):
    found = patch_places(torch.relu(wave(16, 7, 7)), height, width)
    assert [place[:2] for place in found] == places
    assert [place[2] for place in found] == [224] * 3 + [112] * 3


def test_fusing_is_the_harnesss(tmp_path):
    network = fill(FusingNetwork()).eval()
    with torch.inference_mode():
        logit = network(wave(1, 3, 224, 224) * 0.5, [wave(3, 240, 330)])
    assert logit.item() == pytest.approx(0.65999395, rel=1e-4)
    torch.save({"model": network.state_dict()}, tmp_path / "Fusing.pth")
    detector = Fusing({"path": str(tmp_path / "Fusing.pth")}, device="cpu")
    scores = detector.score([picture(150, 100), picture(240, 330)])
    assert scores.shape == (2,) and ((scores > 0) & (scores < 1)).all()


def test_another_networks_weights_are_named(classifier, tmp_path):
    torch.save({"state_dict": fill(Denoiser(1, 2, 16)).state_dict()}, tmp_path / "sidd_rgb.pth")
    (tmp_path / "LNP.pth").symlink_to(classifier / "classifier.pth")
    with pytest.raises(UserError, match=r"sidd_rgb\.pth is of another architecture"):
        Lnp({"path": str(tmp_path)}, groups=1, blocks=1, channels=16, device="cpu")
