"""What was published, against what the sheet and the configuration make of it.

Sources: how each tracer's authors prepare a picture (their evaluation code: mean and deviation of
timm's, CLIP's, BLIP's and ZeroVL's configurations; SSCD's README, ``skew_320``; ISC21's first
descriptor, ``isc_feature_extractor``; BoT's four sizes), as their pipelines of torchvision, which
this test runs beside ours; and Supplement 15, whose sums the configuration has to add up to.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch.nn import functional
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.torchscript_tracer import TorchScriptTracer

SHEET = read_sheets(ROOT / "config")["tracers"]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
BICUBIC, BILINEAR = InterpolationMode.BICUBIC, InterpolationMode.BILINEAR
# The author of TIP-I2V squeezes to 224 with PIL's default, bicubic; where a tracer's own authors
# use torchvision's Resize, its default is bilinear.
PUBLISHED = {
    "swin_b": ([224], BICUBIC, IMAGENET),
    "resnet_50": ([224], BICUBIC, IMAGENET),
    "convnext": ([224], BICUBIC, IMAGENET),
    "efficientnet": ([224], BICUBIC, IMAGENET),
    "vit_b": ([224], BICUBIC, HALF),
    "simsiam": ([224], BICUBIC, IMAGENET),
    "mocov3": ([224], BICUBIC, IMAGENET),
    "dinov2": ([224], BICUBIC, IMAGENET),
    "mae": ([224], BICUBIC, IMAGENET),
    "simclr": ([224], BICUBIC, IMAGENET),
    "clip": ([224], BICUBIC, CLIP),
    "slip": ([224], BICUBIC, IMAGENET),
    "zerovl": ([224], BICUBIC, HALF),
    "blip": ([224], BICUBIC, CLIP),
    "cnncl": ([512], BILINEAR, HALF),
    "bot": ([200, 256, 320, 400], BICUBIC, IMAGENET),
    "sscd": ([320], BILINEAR, IMAGENET),
    "anypattern": ([224], BICUBIC, IMAGENET),
}


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (430, 610, 3), np.uint8)


def published(image, size, interpolation, normalisation):
    pipeline = transforms.Compose(
        [
            transforms.Resize((size, size), interpolation),
            transforms.ToTensor(),
            transforms.Normalize(*normalisation),
        ]
    )
    return pipeline(Image.fromarray(image))


def prepared(name, image):
    """Return what the sheet's entry makes of a picture, at each of its sizes."""
    settings = SHEET[name]["settings"]
    shape = Preprocessing(
        **{k: settings[k] for k in Preprocessing.__dataclass_fields__ if k in settings}
    )
    shapes = [replace(shape, image_size=size) for size in settings.get("sizes", ())] or [shape]
    squares = [torch.from_numpy(shape.to_square(image)).permute(2, 0, 1)[None] for shape in shapes]
    return [shape.normalise(square)[0] for shape, square in zip(shapes, squares, strict=True)]


def test_every_public_tracer_is_held_to_what_its_authors_do():
    public = {
        name for name, entry in SHEET.items() if "paper" in entry and "unavailable" not in entry
    }
    assert public == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_pictures_are_prepared_as_the_tracers_authors_do(name, image):
    sizes, interpolation, normalisation = PUBLISHED[name]
    ours = prepared(name, image)
    assert len(ours) == len(sizes)
    for pixels, size in zip(ours, sizes, strict=True):
        torch.testing.assert_close(pixels, published(image, size, interpolation, normalisation))


class Corners(torch.nn.Module):
    """Stands in for SSCD: 512 of a picture's numbers, which tell any resize from any other."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.flatten(1)[:, :512]


def test_sscd_describes_the_picture_that_its_readme_prepares(image, tmp_path):
    path = tmp_path / "sscd.torchscript.pt"
    torch.jit.script(Corners()).save(str(path))
    tracer = TorchScriptTracer({"path": str(path)}, **SHEET["sscd"]["settings"])
    pixels = published(image, 320, BILINEAR, IMAGENET)[None]
    expected = functional.normalize(Corners()(pixels), dim=1).numpy()
    np.testing.assert_allclose(tracer.embed([image]), expected, atol=1e-5)


def test_the_configuration_adds_up_to_supplement_15():
    split, prompts = CONFIG["split"]["tip_trace"], CONFIG["generate"]["prompts"]
    training, queries = prompts - split["query_prompts"], split["query_prompts"]
    assert training == 90_000
    generators = len(CONFIG["generate"]["generators"])
    assert generators * training * split["frames_per_video"] + training == 4_590_000
    assert generators * queries == 50_000  # query images with true matches
    assert split["max_references"] + queries == 1_010_000
    assert (split["max_distractors"], split["max_references"]) == (40_000, 1_000_000)
    assert (split["references"], split["distractors"]) == ("disc21", "open_images")


def test_the_search_is_that_of_the_image_similarity_challenge():
    # facebookresearch/isc2021, and AnyPattern's Test/match.sh by TIP-I2V's author, rank the 500,000
    # best pairs of all queries; SSCD's evaluation the ten best of each. Supplement 16 names no
    # normalisation of scores, and SSCD's has weight 1 and the neighbours 0 to 2.
    assert CONFIG["trace"]["candidates"] == 500_000
    assert CONFIG["trace"]["top_k"] == 10
    assert CONFIG["trace"]["score_normalisation"]["weight"] == 0
    assert CONFIG["trace"]["score_normalisation"]["neighbours"] == len(range(0, 2 + 1))
