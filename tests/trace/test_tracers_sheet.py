"""config/tracers.yaml: every entry can be built as it stands, and is what it says it is."""

import csv
import inspect

import open_clip
import pytest
import timm
import torch

from scripts.common.backends import find_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.trace.cosface import Recipe
from scripts.trace.vision_transformer import build_vision_transformer

ENTRIES = read_sheets(ROOT / "config")["tracers"]
WEIGHTLESS = {"perceptual_hash", "vit_tiny"}


@pytest.mark.parametrize("name", ENTRIES)
def test_settings_are_arguments_of_the_class(name):
    entry = ENTRIES[name]
    settings = entry.get("settings") or {}
    inspect.signature(find_backend(entry)).bind(entry.get("weights"), device="cpu", **settings)
    assert entry["licence"]
    assert bool(entry.get("weights")) == (name not in WEIGHTLESS)
    assert entry.get("embedded") or entry["weights"].get("revision") or "url" in entry["weights"]


def test_groups_and_names_are_those_of_table_5():
    with open(ROOT / "config" / "paper" / "table5.csv") as file:
        paper = {row["method"]: row["group"] for row in csv.DictReader(file)}
    named = {e["paper"]: e["group"] for e in ENTRIES.values() if "paper" in e}
    assert named.items() <= paper.items()
    assert {entry["group"] for entry in ENTRIES.values()} <= set(paper.values())


@pytest.mark.parametrize(
    "name", [n for n, e in ENTRIES.items() if "timm" in e["backend"] and not e["settings"].get("projection")]
)  # fmt: skip
def test_dimensions_are_those_of_timm(name):
    settings = ENTRIES[name]["settings"]
    with torch.device("meta"):
        network = timm.create_model(
            settings["model"], num_classes=0, **settings.get("model_arguments", {})
        )
    assert network.num_features == settings["dimension"]
    mean = network.pretrained_cfg["mean"]
    given = settings.get("normalisation", "imagenet")
    if "hub" in ENTRIES[name]["weights"]:
        assert given == ("half" if mean == (0.5, 0.5, 0.5) else "imagenet")


def test_dimension_is_that_of_open_clip():
    for entry in ENTRIES.values():
        if "open_clip" in entry["backend"]:
            config = open_clip.get_model_config(entry["settings"]["model"])
            assert config["embed_dim"] == entry["settings"]["dimension"]
            assert config["quick_gelu"] == ("openai" in entry["weights"]["hub"])


@pytest.mark.parametrize("name", [n for n, e in ENTRIES.items() if "training" in e])
def test_trained_models_fit_their_recipes(name):
    settings = ENTRIES[name]["settings"]
    recipe = Recipe.of(ENTRIES[name]["training"])
    with torch.device("meta"):
        network = build_vision_transformer(settings["model"], settings["image_size"])
        size = settings["image_size"]
        assert network(torch.zeros(1, 3, size, size)).shape == (1, settings["dimension"])
    assert recipe.rate(recipe.epochs - 1) < 0.1 * recipe.learning_rate


def test_the_recipe_of_the_paper():
    recipe = Recipe.of(ENTRIES["vit_base"]["training"])
    assert (recipe.epochs, recipe.iterations, recipe.batch_size, recipe.instances) == (25, 2000, 512, 4)  # fmt: skip
    assert (recipe.learning_rate, recipe.margin, recipe.scale) == (3.5e-4, 0.35, 64)
    assert (recipe.average, recipe.drop_path) == (0.9999, 0.1)
