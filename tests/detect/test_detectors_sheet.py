"""The sheet's entries fit their classes, and hold the paper's recipe."""

import inspect

import pytest
import torch

from scripts.common.backends import find_backend, load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets

DETECTORS = read_sheets(ROOT / "config")["detectors"]


@pytest.mark.parametrize("name", DETECTORS)
def test_settings_are_arguments_of_the_class(name):
    entry = DETECTORS[name]
    signature = inspect.signature(find_backend(entry))
    signature.bind(weights=entry.get("weights"), **entry.get("settings", {}), device="cpu")


def test_the_paper_recipe_is_supplement_14s():
    settings = DETECTORS["videomae_base"]["settings"]
    assert settings["training"]["iterations"] == 20_000
    assert settings["training"]["batch_size"] == 8
    assert settings["training"]["learning_rate"] == 5e-5
    assert settings["clip"]["size"] == 224 and settings["clip"]["frames"] == 16
    load_backend(DETECTORS["videomae_base"], device="cpu")


def test_the_tiny_model_takes_its_clips():
    classifier = load_backend(DETECTORS["videomae_tiny"], device="cpu")
    clip = DETECTORS["videomae_tiny"]["settings"]["clip"]
    pixels = torch.zeros(2, clip["frames"], 3, clip["size"], clip["size"])
    assert classifier.new_model()(pixel_values=pixels).logits.shape == (2, 3)


def test_embedded_entries_need_no_files():
    assert all(not entry.get("weights") for entry in DETECTORS.values() if entry.get("embedded"))
