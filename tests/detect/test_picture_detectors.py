"""Detectors of single pictures: preparation, and weights in the files' own layouts."""

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from scipy.fft import dctn
from torch import nn
from torchvision import transforms

from scripts.common.errors import UserError
from scripts.detect.fredect import FreDect
from scripts.detect.picture_classifier import CnnSpot, PictureClassifier, resize_and_crop
from scripts.detect.spectrum import Spectrum
from scripts.detect.univfd import UnivFD
from scripts.models.pixels import OPENAI_CLIP
from tests.detect.small_clip import small_univfd


def picture(height=90, width=160, seed=0):
    """Return a random picture, uint8 RGB."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


class Brightness(nn.Module):
    """A network whose logit is the mean of its input."""

    def forward(self, pixels):
        return pixels.mean(dim=(1, 2, 3))[:, None]


def test_preparation_is_the_harnesss():
    image = picture(300, 500)
    reference = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    prepared = PictureClassifier(Brightness(), device="cpu").prepare(image)
    assert torch.equal(prepared, reference(Image.fromarray(image)))


def test_resize_and_crop_can_be_switched_off():
    image = picture()
    assert resize_and_crop(image, None, None).size == (160, 90)
    assert resize_and_crop(image, 45, None).size == (80, 45)
    assert resize_and_crop(image, None, 64).size == (64, 64)


def test_pictures_of_different_sizes_without_a_crop():
    images = [picture(40, 60), picture(50, 30), np.full((20, 20, 3), 255, np.uint8)]
    detector = PictureClassifier(Brightness(), resize=None, crop=None, device="cpu")
    together = detector.score(images)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, [detector.score([image])[0] for image in images])
    assert together[2] > 0.5 and together.max() <= 1


@pytest.fixture(scope="module")
def resnet_state():
    """A ResNet-50 with one output, random weights, drawn so that its scores vary."""
    from torchvision.models import resnet50

    torch.manual_seed(1)
    return resnet50(num_classes=1).state_dict()


def test_cnnspot_reads_the_published_layout(tmp_path, resnet_state):
    path = tmp_path / "blur_jpg_prob0.5.pth"
    torch.save({"model": resnet_state, "optimizer": {}, "total_steps": 7}, path)
    detector = CnnSpot({"path": str(path)}, crop=64, device="cpu")
    score = detector.score([picture()])[0]
    from torchvision.models import resnet50

    network = resnet50(num_classes=1).eval()
    network.load_state_dict(resnet_state)
    with torch.inference_mode():
        expected = network(detector.prepare(picture())[None]).sigmoid().item()
    assert score == pytest.approx(expected, rel=1e-5)


def test_fredect_reads_the_published_layout_and_sees_the_cosine_transform(tmp_path, resnet_state):
    state = {f"module.{name}": tensor for name, tensor in resnet_state.items()}
    torch.save({"netC": state}, tmp_path / "FreDect.pth")
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(0, 1, (3, 224, 224)), rng.uniform(1, 2, (3, 224, 224))
    torch.save(torch.from_numpy(mean), tmp_path / "dct_mean")
    torch.save(torch.from_numpy(variance), tmp_path / "dct_var")
    detector = FreDect({"path": str(tmp_path)}, device="cpu")
    image = picture(256, 300)
    pixels = np.asarray(resize_and_crop(image, 256, 224), float)
    spectrum = dctn(pixels, type=2, norm="ortho", axes=(0, 1)).transpose(2, 0, 1)
    expected = (np.log(np.abs(spectrum) + 1e-12) - mean) / np.sqrt(variance)
    np.testing.assert_allclose(detector.prepare(image).numpy(), expected, rtol=1e-4, atol=1e-4)
    assert 0 <= detector.score([image])[0] <= 1
    torch.save(torch.zeros(3, 8, 8), tmp_path / "dct_var")
    with pytest.raises(UserError, match="dct_var"):
        FreDect({"path": str(tmp_path)}, device="cpu")


def test_univfd_is_a_linear_layer_on_clips_unnormalised_embedding(tmp_path):
    weights, name, checkpoint = small_univfd(tmp_path)
    clip = open_clip.create_model(name, pretrained=None).eval()
    clip.load_state_dict(load_file(checkpoint))
    layer = nn.Linear(clip.visual.output_dim, 1)
    layer.load_state_dict(torch.load(weights["path"], weights_only=True))
    detector = UnivFD(weights, architecture=name, clip_checkpoint=checkpoint, device="cpu")
    image = picture()
    prepared = detector.prepare(image)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in OPENAI_CLIP)
    restored = prepared * deviation + mean
    assert restored.min() >= -1e-6 and restored.max() <= 1 + 1e-6
    with torch.inference_mode():
        expected = layer(clip.encode_image(prepared[None])).sigmoid().item()
    assert detector.score([image])[0] == pytest.approx(expected, rel=1e-5)


def test_clip_that_is_not_in_the_cache_is_named_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.save(nn.Linear(8, 1).state_dict(), tmp_path / "fc.pth")
    weights = {"hub": "nobody/nothing", "file": "x.safetensors", "revision": "main"}
    with pytest.raises(UserError, match="hf download nobody/nothing x"):
        UnivFD(weights | {"path": str(tmp_path / "fc.pth")})


def spectral_noise(exponent, seed=0, side=256):
    """Return a grey picture whose amplitude spectrum falls as f^-exponent."""
    rng = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(side) * 2, np.fft.rfftfreq(side) * 2
    frequency = np.hypot(rows[:, None], columns)
    frequency[0, 0] = 1
    phases = np.exp(2j * np.pi * rng.random(frequency.shape))
    grey = np.fft.irfft2(phases * frequency**-exponent, (side, side))
    grey = np.clip(128 + 40 * grey / grey.std(), 0, 255)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("exponent", [0.8, 1.2, 1.5])
def test_spectrum_measures_the_slope(exponent):
    assert Spectrum().slope(spectral_noise(exponent)) == pytest.approx(exponent, abs=0.1)


def test_spectrum_scores_by_its_formula():
    detector = Spectrum()
    steep, flat = spectral_noise(1.5), spectral_noise(0.8)
    scores = detector.score([steep, flat, np.zeros((32, 32, 3), np.uint8)])
    assert scores.dtype == np.float32
    expected = 1 / (1 + np.exp(-(detector.slope(flat) - 1.5) / 0.35))
    assert scores[1] == pytest.approx(expected, rel=1e-5)
    assert scores[0] > scores[1]
    assert scores[2] == 0.5


def test_spectrum_finds_what_is_interpolated():
    image = Image.fromarray(spectral_noise(1.1))
    blown_up = np.asarray(image.resize((128, 128)).resize((256, 256), Image.Resampling.BICUBIC))
    scores = Spectrum().score([np.asarray(image), blown_up])
    assert scores[1] > 0.5 > scores[0]


def test_a_tiny_picture_has_a_score():
    assert 0 <= Spectrum().score([picture(4, 4)])[0] <= 1
