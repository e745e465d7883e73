"""config/tracers.yaml: every entry can be built as it stands, and is what it says it is."""

import csv
import inspect
import shlex

import numpy as np
import open_clip
import pytest
import timm
import torch
import yaml

from scripts.commands.check import find_absences, read_configuration, study_of
from scripts.common.backends import check_entry, find_backend, load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.trace.cosface import Recipe
from scripts.trace.cosface_training import build_lesson
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.torch_tracer import TorchTracer
from tests.trace.test_tracers import Seen

SHEET = read_sheets(ROOT / "config")["tracers"]
ENTRIES = {name: entry for name, entry in SHEET.items() if "unavailable" not in entry}
SEEDED = {name for name, entry in ENTRIES.items() if "seed" in (entry.get("settings") or {})}
WEIGHTLESS = {"perceptual_hash", "vit_tiny", "latents_tiny", "latent_map_tiny"} | SEEDED


@pytest.mark.parametrize("name", ENTRIES)
def test_settings_are_arguments_of_the_class(name):
    entry = ENTRIES[name]
    settings = entry.get("settings") or {}
    backend = find_backend(entry)
    inspect.signature(backend).bind(entry.get("weights"), device="cpu", **settings)
    if issubclass(backend, TorchTracer):  # whose classes pass on what they do not take themselves
        known = {
            name
            for taker in (backend, TorchTracer, Preprocessing)
            for name in inspect.signature(taker).parameters
        }
        assert set(settings) <= known - {"described", "shaping", "network", "name"}
    assert entry["licence"]
    assert bool(entry.get("weights")) == (name not in WEIGHTLESS)
    assert name not in SEEDED or entry["embedded"]
    assert entry.get("embedded") or entry["weights"].get("revision") or "url" in entry["weights"]


def paper_rows():
    with open(ROOT / "config" / "paper" / "table5.csv") as file:
        return {row["method"]: row["group"] for row in csv.DictReader(file)}


def test_groups_and_names_are_those_of_table_5():
    paper = paper_rows()
    named = {e["paper"]: e["group"] for e in SHEET.values() if "paper" in e}
    assert named.items() <= paper.items()
    assert {entry["group"] for entry in SHEET.values()} <= set(paper.values())


def test_the_papers_configuration_has_all_nineteen_rows_in_order():
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    rows = [SHEET[name]["paper"] for name in config["trace"]["tracers"]]
    assert rows == [name for name, group in paper_rows().items() if group != "Ours"]
    assert len(rows) == 19


@pytest.mark.parametrize(
    "name", [n for n, e in ENTRIES.items() if "timm" in e["backend"] and "training" not in e]
)
def test_networks_are_timms_and_their_dimensions_those_of_the_entries(name):
    settings = ENTRIES[name]["settings"]
    arguments = settings.get("model_arguments", {})
    with torch.device("meta"):
        network = timm.create_model(settings["model"], num_classes=0, **arguments)
        sizes = settings.get("sizes") or [settings.get("image_size", 224)]
        pixels = torch.zeros(1, 3 * settings.get("copies", 1), sizes[0], sizes[0])
        features = network.eval()(pixels)
    channels = features[-1].shape[1] if arguments.get("features_only") else features.shape[1]
    assert channels == CHANNELS.get(name, settings["dimension"])
    assert bool(settings.get("generalised_mean")) == (
        arguments.get("features_only", False) or arguments.get("global_pool") == ""
    )
    if "hub" in ENTRIES[name].get("weights", {}):
        mean = network.pretrained_cfg["mean"]
        given = settings.get("normalisation", "imagenet")
        assert given == {(0.5, 0.5, 0.5): "half", (0.0, 0.0, 0.0): "none"}.get(mean, "imagenet")


@pytest.mark.parametrize("name", ["dinov3", "siglip2", "pe_core", "tipsv2", "copynce", "copynce_matcher"])  # fmt: skip
def test_a_stand_in_is_the_same_class_and_network_made_small_and_the_same_each_time(name):
    real, tiny = SHEET[name], SHEET[f"{name}_tiny"]
    assert tiny["backend"] == real["backend"] and tiny["group"] == real["group"]
    for key in ("model", "normalisation", "norm_epsilon"):
        assert tiny["settings"].get(key) == real["settings"].get(key), key
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), np.uint8)
    first, second = (describe(tiny, pictures) for _ in range(2))
    assert (torch.random.get_rng_state() == before).all()
    assert (first == second).all() and len(set(map(bytes, first))) == 3
    other = tiny | {"settings": tiny["settings"] | {"seed": 1}}
    assert not np.allclose(describe(other, pictures), first, atol=1e-6)
    without = tiny | {"settings": {k: v for k, v in tiny["settings"].items() if k != "seed"}}
    with pytest.raises(UserError, match="the entry names no weights"):  # and none are made up
        describe(without, pictures)
    with pytest.raises(UserError, match=r"has 'weights' and also 'settings.seed'.*leave one"):
        describe(tiny | {"weights": {"path": "model.safetensors"}}, pictures)  # not left unread


def describe(entry, pictures):
    """Return a row for each picture; of what compares pairs, its score with the next picture."""
    model = load_backend(entry, device="cpu")
    if entry.get("compares") != "pairs":
        return model.embed(list(pictures))
    squares = [model.prepare(picture) for picture in pictures]
    return model.match(list(zip(squares, [*squares[1:], squares[0]], strict=True)))[:, None]


CHANNELS = {
    "slip": 768,
    "zerovl": 768,
    "cnncl": 512,
    "bot": 2048,
    "anypattern": 768,
    "copynce": 384,
}
"""Features that a head follows, which the entry's dimension is that of."""


def test_dimension_is_that_of_open_clip():
    for entry in ENTRIES.values():
        if "open_clip" in entry["backend"]:
            config = open_clip.get_model_config(entry["settings"]["model"])
            assert config["embed_dim"] == entry["settings"]["dimension"]
            assert config["quick_gelu"] == ("openai" in entry["weights"]["hub"])


@pytest.mark.parametrize(
    "name", [n for n in ENTRIES if n not in WEIGHTLESS | {"efficientnet_lite0"}]
)
def test_missing_weights_are_named_with_the_command_that_fetches_them(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    weights = ENTRIES[name]["weights"]
    faults = check_entry(name, ENTRIES[name])
    assert len(faults) == len({"hub", "path"} & weights.keys())
    command = shlex.split(faults[-1].partition(" with: ")[2])
    if "url" in weights:
        assert command[:2] == ["curl", "-fL"]
        assert command[-1] == weights["url"]
        assert weights["path"] in command
    else:
        assert command[:3] == ["hf", "download", weights["hub"]]
        assert weights["file"] in command


def test_what_cannot_be_had_is_said_by_the_check():
    absences = find_absences(study_of(read_configuration()))
    [absence] = [sentence for sentence in absences if "tracers.yaml" in sentence]
    assert "asl (ASL): its authors published the loss function, but no weights" in absence


@pytest.mark.parametrize("name", [n for n, e in ENTRIES.items() if "training" in e])
def test_trained_models_fit_their_recipes(name):
    entry = ENTRIES[name] | {"weights": None}
    side = entry["settings"]["image_size"]
    recipe = Recipe.of(entry["training"])
    with torch.device("meta"):
        lesson = build_lesson(entry, 7)
        assert lesson.head.weight.shape == (7, entry["settings"]["dimension"])
        lesson.head = Seen()
        lesson(torch.zeros(2, 3, side, side), None, None)
    assert lesson.head.embeddings.shape == (2, entry["settings"]["dimension"])
    assert recipe.rate(recipe.epochs - 1) < 0.1 * recipe.learning_rate


def test_the_recipe_of_the_paper():
    recipe = Recipe.of(ENTRIES["vit_base"]["training"])
    assert (recipe.epochs, recipe.iterations, recipe.batch_size, recipe.instances) == (25, 2000, 512, 4)  # fmt: skip
    assert (recipe.learning_rate, recipe.margin, recipe.scale) == (3.5e-4, 0.35, 64)
    assert (recipe.average, recipe.drop_path) == (0.9999, 0.1)
    assert (recipe.warmup_epochs, recipe.hold_epochs) == (5, 5)  # and then the cosine
