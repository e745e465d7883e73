"""The sheet's entries fit their classes, and hold the paper's recipe."""

import inspect

import pytest
import torch

from scripts.common.backends import find_backend, load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.detect.videomae_training import TrainingSettings

DETECTORS = read_sheets(ROOT / "config")["detectors"]


@pytest.mark.parametrize("name", DETECTORS)
def test_settings_are_arguments_of_the_class(name):
    entry = DETECTORS[name]
    signature = inspect.signature(find_backend(entry))
    signature.bind(weights=entry.get("weights"), **entry.get("settings", {}), device="cpu")


def test_the_paper_recipe_is_supplement_14s():
    """And where it is silent, that of transformers' guide for this model, whose words it uses."""
    settings = DETECTORS["videomae_base"]["settings"]
    assert settings["clip"]["size"] == 224 and settings["clip"]["frames"] == 16
    assert settings["clip"]["seconds"] == pytest.approx(16 * 4 / 30, abs=1e-6)
    assert settings["clip"]["short_side"] == [256, 320]
    assert settings["clip"]["flip_probability"] == 0.5
    load_backend(DETECTORS["videomae_base"], device="cpu")
    recipe = TrainingSettings(**settings["training"])
    course = recipe.course(seed=0)
    assert (course.steps, course.batch_size, course.gradient_clip) == (20_000, 8, 1.0)
    # Up to 5e-5 over a tenth, and down to 0.
    rates = [course.rate(step) for step in (0, 1_000, 2_000, 11_000, 20_000)]
    assert rates == pytest.approx([0, 2.5e-5, 5e-5, 2.5e-5, 0])
    optimiser = course.optimiser([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimiser) is torch.optim.AdamW
    assert optimiser.defaults["betas"] == (0.9, 0.999)
    assert optimiser.defaults["weight_decay"] == 0


def test_the_tiny_model_takes_its_clips():
    classifier = load_backend(DETECTORS["videomae_tiny"], device="cpu")
    clip = DETECTORS["videomae_tiny"]["settings"]["clip"]
    pixels = torch.zeros(2, clip["frames"], 3, clip["size"], clip["size"])
    assert classifier.new_model()(pixel_values=pixels).logits.shape == (2, 3)


def test_embedded_entries_need_no_files():
    assert all(not entry.get("weights") for entry in DETECTORS.values() if entry.get("embedded"))
