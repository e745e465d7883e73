"""NPR and SAFE: what they see of a picture, and weights in their authors' layouts."""

import numpy as np
import pytest
import pywt
import torch
from torch.nn import functional

from scripts.detect.truncated_resnet import DiagonalDetail, FromFirst, Npr, Safe, truncated_resnet
from tests.detect.formula_weights import fill, wave

PICTURE = np.random.default_rng(3).integers(0, 256, (301, 270, 3), np.uint8)


def test_the_network_is_nprs():
    """Its authors' code (73cde1c) gives this logit, with what it sees."""
    with torch.inference_mode():
        logit = fill(truncated_resnet(1)).eval()(FromFirst()(wave(1, 3, 64, 48)))
    assert logit.item() == pytest.approx(360.82922, rel=1e-5)


def test_npr_sees_how_far_pixels_are_from_the_first_of_four():
    square = torch.tensor([[3.0, 6.0, 9.0], [0.0, 3.0, 9.0], [9.0, 9.0, 9.0]])[None, None]
    assert FromFirst()(square).tolist() == [[[[0.0, 2.0], [-2.0, 0.0]]]]


def test_npr_squeezes_a_picture_to_256_and_crops_nothing(tmp_path):
    torch.save(fill(truncated_resnet(1)).state_dict(), tmp_path / "NPR.pth")
    weights = {"path": str(tmp_path / "NPR.pth")}
    detector = Npr(weights, resize=[256, 256], crop=None, device="cpu")
    assert detector.prepare(PICTURE).shape == (3, 256, 256)
    assert 0 <= detector.score([PICTURE])[0] <= 1


@pytest.mark.parametrize(("height", "width"), [(64, 48), (256, 256), (2, 6)])
def test_safe_sees_the_wavelets_diagonal_detail(height, width):
    pixels = wave(2, 3, height, width)
    detail = pywt.dwt2(pixels.numpy(), "bior1.3", mode="symmetric", axes=(2, 3))[1][2]
    expected = functional.interpolate(torch.from_numpy(detail), (height, width), mode="bilinear")
    if height > 4:  # where nothing is made smaller, antialiasing changes nothing
        torch.testing.assert_close(DiagonalDetail()(pixels), expected, rtol=0, atol=1e-5)
    assert DiagonalDetail()(pixels).shape == pixels.shape


def test_safes_score_is_the_softmax_of_the_second_class(tmp_path):
    trunk = fill(truncated_resnet(2)).eval()
    torch.save({"model": trunk.state_dict(), "epoch": 7}, tmp_path / "checkpoint-best.pth")
    weights = {"path": str(tmp_path / "checkpoint-best.pth")}
    detector = Safe(weights, resize=None, crop=256, device="cpu")
    middle = PICTURE[22:278, 7:263].transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_allclose(detector.prepare(PICTURE), middle, atol=1e-6)
    with torch.inference_mode():
        logits = trunk(DiagonalDetail()(torch.from_numpy(middle)[None]))
    assert detector.score([PICTURE])[0] == pytest.approx(logits.softmax(1)[0, 1].item(), abs=1e-5)
