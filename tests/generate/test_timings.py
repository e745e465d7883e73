"""What `make bench NAME=generate` measures, and who believes it: only full size, and only a GPU."""

import json
from types import SimpleNamespace

import pytest
import torch
import yaml

from scripts.commands.check import read_configuration, study_of
from scripts.commands.plan import Job, price
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.generate.graph import GenerateGraph
from scripts.generate.timings import RESULTS, find_timing, made_by
from tests.benchmarks import generate as benchmark
from tests.generate.tiny_pipelines import PARTS

SHEET = read_sheets(ROOT / "config")["generators"]
COG = SHEET["cogvideox"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RESULTS.parent.mkdir(parents=True)


def note(*rows):
    RESULTS.write_text(json.dumps({"measured": rows}))


def row(seconds, generator="cogvideox", fast=False, **changes):
    found = {"generator": generator, "mode": "fast" if fast else "fidelity", "weights": "random",
             "gpu": True, "device": "a card", "seconds_per_video": seconds,
             "made_by": made_by(SHEET[generator], fast=fast)}  # fmt: skip
    return found | changes


@pytest.mark.parametrize("changes", [
    {"weights": "tiny"}, {"weights": "none"}, {"gpu": False}, {"generator": "svd"},
    {"made_by": "other settings"},
])  # fmt: skip
def test_nothing_else_stands_for_a_model_on_a_gpu(changes):
    note(row(150.0), row(1.0, **changes))
    assert find_timing("cogvideox", COG, fast=False).seconds == 150.0
    note(row(1.0, **changes))
    assert find_timing("cogvideox", COG, fast=False) is None


def test_the_last_measurement_says_where_it_was_made():
    assert find_timing("cogvideox", COG, fast=False) is None
    note(row(150.0), row(100.0, device="another card"))
    timing = find_timing("cogvideox", COG, fast=False)
    assert timing.seconds == 100.0
    assert timing.source == f"measured on another card, random weights ({RESULTS})"
    RESULTS.write_text('{"measured": [{}]}')
    with pytest.raises(UserError, match=r"generate.json is damaged; delete it, or measure anew"):
        find_timing("cogvideox", COG, fast=False)


def test_a_cache_has_its_own_time_or_the_time_without_it():
    note(row(150.0))
    timing = find_timing("cogvideox", COG, fast=True)
    assert timing.seconds == 150.0 and "without its cache" in timing.source
    note(row(90.0, fast=True), row(150.0))
    assert find_timing("cogvideox", COG, fast=True).seconds == 90.0
    assert find_timing("cogvideox", COG, fast=False).seconds == 150.0
    # What random weights let a threshold skip is not what trained ones do.
    name = "wan2_2_ti2v_5b"
    note(row(200.0, name), row(20.0, name, fast=True))
    assert find_timing(name, SHEET[name], fast=True).seconds == 200.0
    note(row(200.0, name), row(80.0, name, fast=True, weights="published"))
    assert find_timing(name, SHEET[name], fast=True).seconds == 80.0


def study_with(**changes):
    config = read_configuration()
    return study_of(config | {"generate": config["generate"] | changes})


def cost_of(study):
    cost = price(study, [Job("generate_videos", {"generator": "cogvideox"}, None)])["generate"]
    [source] = cost.sources
    return cost.gpu_h * 3600 / (110_000 / 256), source.removeprefix("generate_videos cogvideox: ")


def test_plans_and_run_times_are_by_what_was_measured_and_shards_by_the_sheet():
    study, of = study_with(), SimpleNamespace(generator="cogvideox", shard="00000")
    said = "294 s for a video; the paper, Section 3: 294 s on an A100"
    assert cost_of(study) == (pytest.approx(294), said)
    before = GenerateGraph(study).runtime_min(of)
    note(row(147.0), row(49.0, fast=True), row(1.0, weights="tiny", gpu=False))
    assert cost_of(study) == (
        pytest.approx(147),
        f"147 s for a video; measured on a card, random weights ({RESULTS})",
    )
    assert GenerateGraph(study).runtime_min(of) - 30 == pytest.approx((before - 30) / 2, abs=1)
    assert len(study.shards_of("cogvideox")) == 256, "or every video would be made anew"
    fast = study_with(speed="fast")
    assert cost_of(fast)[0] == pytest.approx(49)
    assert GenerateGraph(fast).runtime_min(of) - 30 == pytest.approx((before - 30) / 6, abs=1)
    without = study_with(gpu=0)
    assert cost_of(without)[0] == pytest.approx(294)
    assert GenerateGraph(without).runtime_min(of) == before
    RESULTS.unlink()
    assert cost_of(fast)[1].endswith("294 s on an A100, without its cache")


def test_tiny_models_run_both_ways_and_stand_for_nothing(monkeypatch):
    monkeypatch.setenv("BENCH_GENERATE", "camera_move cogvideox")
    monkeypatch.setenv("BENCH_GENERATE_VIDEOS", "1")
    monkeypatch.setitem(benchmark.STEPS, "tiny", 4)
    note(row(150.0), row(9.0, weights="tiny", device=benchmark.device_name(False)))
    found = benchmark.run()
    first, *rows = found["measured"]
    assert first["seconds_per_video"] == 150.0, "what was measured elsewhere stays"
    said = [(one["generator"], one["mode"], one["weights"], one["gpu"]) for one in rows]
    assert said == [("camera_move", "fidelity", "none", False),
                    ("cogvideox", "fidelity", "tiny", False), ("cogvideox", "fast", "tiny", False)]  # fmt: skip
    seconds = [one["seconds_per_video"] for one in rows]
    assert (found["baseline"], found["ours"]) == tuple(seconds[1:])
    assert found["ratio"] == pytest.approx(seconds[1] / seconds[2])
    assert all(one["peak_gb"] > 0.1 and "CPU" in one["device"] for one in rows)
    assert (rows[1]["frames"], rows[1]["width"]) == (9, 16)
    note(*rows)
    assert find_timing("cogvideox", COG, fast=True) is None


def test_on_a_gpu_models_are_those_of_the_sheet_in_full_size(monkeypatch):
    """With tiny parts in place of the large ones, and a card and a pipeline that are pretended."""
    monkeypatch.setenv("BENCH_GENERATE", "cogvideox sway")
    for name, value in (("is_available", True), ("max_memory_allocated", 7e9), ("empty_cache", None),
                        ("reset_peak_memory_stats", None), ("get_device_name", "a card")):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr(benchmark, "DEVICE", "cpu")
    monkeypatch.setattr(benchmark, "FULL", PARTS)
    made, load = [], benchmark.load_backend

    def pretended(entry, device):
        if "call" not in entry["settings"]:
            return load(entry, device="cpu")
        from huggingface_hub import constants

        [weights] = benchmark.Path(constants.HF_HUB_CACHE).rglob("transformer/*.safetensors")
        made.append((entry["settings"], weights))
        own = SimpleNamespace(_call=dict(entry["settings"]["call"]))
        own.generate = lambda image, prompt, seed: (
            made.append(own._call["num_inference_steps"]) or torch.zeros(2, 4, 6, 3).numpy(), 8.0
        )  # fmt: skip
        return own

    monkeypatch.setattr(benchmark, "load_backend", pretended)
    rows = benchmark.run()["measured"]
    (slow, _), first, whole, (fast, _), *steps = made
    assert (slow, fast) == (COG["settings"], COG["settings"] | {"cache": COG["fast"]})
    assert (first, whole) == (2, 50) and steps == [2, 50], "the first compiles and is not counted"
    assert [one["weights"] for one in rows] == ["random", "random", "none"]
    assert all((one["gpu"], one["peak_gb"], one["device"]) == (True, 7.0, "a card") for one in rows)
    assert torch.get_default_dtype() == torch.float32
    note(*rows)
    assert find_timing("cogvideox", COG, fast=True).seconds == rows[1]["seconds_per_video"]
    assert find_timing("sway", SHEET["sway"], fast=False) is None
    monkeypatch.setattr(benchmark, "FULL", {})
    for name, words in (("svd", "'make fetch' gets the weights"), ("nobody", "names 'nobody'")):
        monkeypatch.setenv("BENCH_GENERATE", name)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "nowhere")
        with pytest.raises(SystemExit, match=words):
            benchmark.run()


def test_what_is_large_can_be_made_up_of_the_sheets_own_parts():
    full = yaml.safe_load((ROOT / "tests/generate/full_parts.yaml").read_text())
    for name in benchmark.LARGE:
        assert {"scheduler"} | (set(PARTS[name]) - {"call", "side"}) == set(full[name])
