"""What the sheet's entries do, held to what was published of the detectors.

Sources: the harness of Table 3, Ekko-zn/AIGCDetectBenchmark at 5cd41a6 (options --loadSize 256,
--CropSize 224); PeterWang512/CNNDetection at ea0b562; OpenAI's CLIP (QuickGELU, its means and
deviations); UniversalFakeDetect at 76a0e3e (a linear layer on 768 numbers); for VideoMAE the
transformers library's guide to video classification, whose words Supplement 14 uses, the data
pipeline of pytorchvideo at f3142bb behind it, and the preprocessor of MCG-NJU/videomae-base.
The numbers below are worked out from these by hand.
"""

import numpy as np
import open_clip
import pytest
import torch
from torchvision.models import resnet50

from scripts.common.backends import load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.detect.clips import consecutive_clips, evaluation_input, random_clip, training_input
from scripts.detect.videomae_training import TrainingSettings
from tests.detect.small_clip import small_univfd

DETECTORS = read_sheets(ROOT / "config")["detectors"]
BASE = DETECTORS["videomae_base"]


def ruled_picture():
    """Return a picture of 512 x 1024 whose frame and stripes tell how it was cut.

    Resized to 256 x 512, of which the middle 224 x 224 are taken, it shows the rows 32 to 480 and
    the columns 288 to 736: the white frame around these is cut off to the pixel. Of the columns,
    those up to 400 are dark grey, those up to 512 light grey, and the rest is black.
    """
    picture = np.full((512, 1024, 3), 255, np.uint8)
    for first, last, grey in ((288, 400, 64), (400, 512, 128), (512, 736, 0)):
        picture[32:480, first:last] = grey
    return picture


def assert_cut_as_the_harness_does(prepared, mean, deviation):
    """A pixel beside an edge blends with what is behind it."""
    assert prepared.shape == (3, 224, 224)
    values = prepared * torch.tensor(deviation)[:, None, None] + torch.tensor(mean)[:, None, None]
    assert values[:, 1:-1, 1:-1].max() < 0.51  # no white inside: the frame is gone
    assert values[:, 0, 60].min() > 0.51  # and it begins right there
    for first, last, grey in ((1, 55, 64), (57, 111, 128), (113, 223, 0)):
        assert (values[:, 112, first:last] - grey / 255).abs().max() < 0.01


IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OPENAI = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@pytest.fixture(scope="module")
def cnnspot(tmp_path_factory):
    """The sheet's CNNSpot with random weights in the published layout."""
    path = tmp_path_factory.mktemp("cnnspot") / "blur_jpg_prob0.5.pth"
    torch.manual_seed(0)
    torch.save({"model": resnet50(num_classes=1).state_dict()}, path)
    return load_backend(DETECTORS["cnnspot"] | {"weights": {"path": str(path)}}, device="cpu")


def test_cnnspot_sees_what_the_harness_shows_it(cnnspot):
    assert_cut_as_the_harness_does(cnnspot.prepare(ruled_picture()), *IMAGENET)


def test_fredect_has_no_settings_of_its_own():
    """The means and variances of its coefficients are of one size only."""
    assert not DETECTORS["fredect"].get("settings")


def test_univfd_stands_on_openais_clip():
    """Nothing is computed: the network is built without its 428 million numbers."""
    with torch.device("meta"):
        name = DETECTORS["univfd"]["settings"]["architecture"]
        clip = open_clip.create_model(name, pretrained=None, device="meta")
    blocks = clip.visual.transformer.resblocks
    assert len(blocks) == 24 and clip.visual.patch_size == (14, 14)
    assert clip.visual.output_dim == 768
    # x sigmoid(1.702 x), and not the normal distribution's, which gives 0.8413 and -0.1587.
    for block in blocks:
        found = block.mlp.gelu(torch.tensor([1.0, -1.0]))
        np.testing.assert_allclose(found, [0.8457958, -0.1542042], atol=1e-6)


def test_univfd_sees_what_the_harness_shows_it(tmp_path):
    """With a small CLIP: its preparation does not depend on the network."""
    entry = DETECTORS["univfd"]
    weights, architecture, checkpoint = small_univfd(tmp_path)
    settings = {"architecture": architecture, "clip_checkpoint": checkpoint}
    small = entry | {"weights": weights, "settings": entry["settings"] | settings}
    detector = load_backend(small, device="cpu")
    assert_cut_as_the_harness_does(detector.prepare(ruled_picture()), *OPENAI)


@pytest.fixture(scope="module")
def clip_settings():
    """How the sheet's VideoMAE cuts and prepares clips."""
    return load_backend(BASE, device="cpu")._clip


def test_a_clip_is_16_frames_every_fourth_of_30_a_second(clip_settings):
    """num_frames x sample_rate / fps = 16 x 4 / 30 s; floor(linspace(0, 64, 16)) of 65 frames."""
    first, second = consecutive_clips(128, 30.0, clip_settings)
    assert first == [0, 4, 8, 12, 17, 21, 25, 29, 34, 38, 42, 46, 51, 55, 59, 64]
    # Of the second window, 64 frames are left: floor(linspace(0, 63, 16)).
    assert second == [*(64, 68, 72, 76, 80, 85, 89, 93, 97, 101, 106, 110, 114, 118, 122, 127)]
    assert consecutive_clips(72, 24.0, clip_settings) == [
        [0, 3, 6, 10, 13, 17, 20, 23, 27, 30, 34, 37, 40, 44, 47, 51]
    ]
    rng = np.random.default_rng(0)
    starts = [random_clip(150, 30.0, clip_settings, rng)[0] for _ in range(500)]
    assert (min(starts), max(starts)) == (1, 86)  # 5 s - 2.1333 s, and no later


class Largest:
    """Draws the largest number that may be drawn, and says what was asked for."""

    def __init__(self):
        self.asked = []

    def integers(self, low, high):
        """Return the last whole number before ``high``."""
        self.asked.append((low, high))
        return high - 1

    def random(self):
        """Return what mirrors nothing."""
        return 0.999


def test_training_clips_are_scaled_to_256_up_to_320_and_cropped_to_224(clip_settings):
    """RandomShortSideScale(256, 320), both included, and RandomCrop(224)."""
    rng, frames = Largest(), np.zeros((16, 360, 640, 3), np.uint8)
    assert training_input(frames, clip_settings, rng).shape == (16, 3, 224, 224)
    # Of 360 x 640, the shorter side 320 leaves 568 (568.9 rounded down) for the longer one.
    assert rng.asked == [(256, 321), (0, 97), (0, 345)]
    assert clip_settings.flip_probability == 0.5


STRIPES = (0, 40, 81, 255, 255, 10, 31, 0)


def striped(height, width):
    """Return 16 frames of columns that repeat after eight."""
    row = np.tile(np.array(STRIPES, np.uint8), width // 8)
    return np.broadcast_to(row[None, None, :, None], (16, height, width, 3)).copy()


def assert_columns(clip, levels):
    """Levels may have fractions: nothing is rounded or cut off once a clip is scaled."""
    mean, deviation = (np.array(values) for values in IMAGENET)
    for column, level in levels.items():
        expected = (level / 255 - mean) / deviation
        np.testing.assert_allclose(clip[7, :, 100, column], expected, atol=1e-5)


def test_training_clips_are_scaled_without_antialiasing(clip_settings):
    """Of 640 pixels that become 320, each is the mean of two; the last 224 are kept."""
    clip = training_input(striped(640, 640), clip_settings, Largest())
    assert_columns(clip, {0: 20, 1: 168, 2: 132.5, 3: 15.5, 220: 20, 222: 132.5})


def test_test_clips_are_squeezed_to_224_without_antialiasing(clip_settings):
    """Resize((224, 224)): of eight pixels that become two, each sees the middle two of its four."""
    clip = evaluation_input(striped(224, 896), clip_settings)
    assert clip.shape == (16, 3, 224, 224)
    assert_columns(clip, {0: 60.5, 1: 20.5, 222: 60.5, 223: 20.5})


def test_the_learning_rate_is_the_trainers_of_20000_steps():
    """5e-5 after a tenth of the steps, from 0 and back to it, in straight lines."""
    settings = BASE["settings"]["training"]
    rate = TrainingSettings(**settings).rate
    rates = {step: rate(step) for step in (0, 1_000, 2_000, 11_000, 19_999)}
    expected = {0: 0, 1_000: 2.5e-5, 2_000: 5e-5, 11_000: 2.5e-5, 19_999: 5e-5 / 18_000}
    assert rates == pytest.approx(expected)


def test_the_rest_of_the_recipe():
    """The Trainer's defaults where Supplement 14 is silent; its head reads the first token.

    The guide's sampler draws from all videos as they are, and Supplement 14 weighs no class.
    """
    settings = BASE["settings"]
    published = {"batch_size": 8, "weight_decay": 0.0, "gradient_clip": 1.0, "precision": "float32"}
    published |= {"balanced": False}
    assert {name: settings["training"][name] for name in published} == published
    assert settings["model"] == {"use_mean_pooling": False}
