"""Seconds per video and peak memory of generators: official settings, and beside them their caches.

``BENCH_GENERATE="svd cogvideox"`` names entries of config/generators.yaml, ``BENCH_GENERATE_VIDEOS``
how many videos of each are timed. On a GPU models are in full size, with their weights where these
lie in the hub's cache, or with random ones (tests/generate/full_parts.yaml), which take the same time.
On a CPU they are those of the tests, so small that their seconds say nothing of a model. Loading and a
first short video, for which kernels are compiled, are not counted. ``make plan`` takes what was
measured in full size on a GPU; rows of other entries and devices stay in the file.
"""

import contextlib
import gc
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml

from scripts.common.backends import check_entry, load_backend
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.generate.timings import RESULTS, made_by, settings_of
from tests.generate.made_up import picture
from tests.generate.tiny_pipelines import save_random, save_tiny

FULL = yaml.safe_load((ROOT / "tests/generate/full_parts.yaml").read_text())
TINY = ("camera_move", "svd", "cogvideox", "wan2_2_ti2v_5b", "hunyuan_video_1_5")
LARGE = ("svd", "cogvideox", "wan2_2_ti2v_5b")
STEPS = {"first": 2, "tiny": 10}
"""Of denoising: in the video that is not counted, and of a tiny model, so that a cache has some to skip."""
DEVICE = "cuda"
PROCESS = Path("/proc/self")
PROMPT = "a boat sails across the bay while clouds drift by"
MODES = {"fidelity": False, "fast": True}


def run() -> dict[str, Any]:
    """Measure the entries asked for, and return one row for each and its modes."""
    on_gpu = torch.cuda.is_available()
    names = os.environ.get("BENCH_GENERATE", " ".join(LARGE if on_gpu else TINY)).split()
    videos = int(os.environ.get("BENCH_GENERATE_VIDEOS", 1 if on_gpu else 3))
    sheet, rows = read_sheets(ROOT / "config")["generators"], []
    for name in names:
        if "backend" not in sheet.get(name, {}):
            raise SystemExit(
                f"BENCH_GENERATE names '{name}', which config/generators.yaml cannot make"
            )
        with tempfile.TemporaryDirectory() as folder:
            hub, weights, entry = prepared(name, sheet[name], Path(folder), on_gpu)
            for mode, fast in MODES.items():
                if fast and "fast" not in sheet[name]:
                    continue
                with hub:
                    row = measure(entry, videos, fast=fast, on_gpu=on_gpu)
                rows.append({"generator": name, "mode": mode, "weights": weights, "gpu": on_gpu}
                            | {"device": device_name(on_gpu)} | row
                            | {"made_by": made_by(sheet[name], fast=fast)})  # fmt: skip
                print(f"{name:20} {mode:9} {weights:10} {row['seconds_per_video']:10.3f} s a video, "
                      f"{row['peak_gb']:.2f} GB", flush=True)  # fmt: skip
    took = {mode: {row["generator"]: row["seconds_per_video"] for row in rows if row["mode"] == mode}
            for mode in MODES}  # fmt: skip
    both = took["fast"].keys() or took["fidelity"].keys()
    baseline = sum(took["fidelity"][name] for name in both)
    ours = sum((took["fast"] or took["fidelity"])[name] for name in both)
    return {
        "ours": ours,
        "baseline": baseline,
        "ratio": baseline / ours,
        "unit": "seconds for a video of each",
        "what": (
            f"{', '.join(both)} with and without their caches on {device_name(on_gpu)}, the median "
            f"of {videos} videos; 'weights' says which are tiny and stand for no model"
        ),
        "measured": [*kept(rows), *rows],
    }


def prepared(
    name: str, fields: Mapping[str, Any], folder: Path, on_gpu: bool
) -> tuple[contextlib.AbstractContextManager[Any], str, Mapping[str, Any]]:
    """Return where an entry's weights are found while it is loaded, which they are, and the entry.

    On a CPU it has fewer and smaller frames; on a GPU it is the sheet's.
    """
    own_hub = contextlib.nullcontext()
    if "pipeline" not in (fields.get("settings") or {}):
        return own_hub, "none" if fields.get("embedded") else "published", fields
    made_up = mock.patch("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    if not on_gpu:
        tiny = save_tiny(name, fields, folder)
        call = tiny["settings"]["call"] | {"num_inference_steps": STEPS["tiny"]}
        return made_up, "tiny", tiny | {"settings": tiny["settings"] | {"call": call}}
    if not check_entry(name, fields):
        return own_hub, "published", fields
    if "scheduler" not in FULL.get(name, {}):
        raise SystemExit(
            f"{name}: its weights are not in the hub's cache, and tests/generate/full_parts.yaml has "
            "not all of its parts; 'make fetch' gets the weights"
        )
    with default_type(fields["settings"].get("precision", "bfloat16")), torch.device(DEVICE):
        save_random(FULL[name], fields, folder)
    return made_up, "random", fields


def measure(
    entry: Mapping[str, Any], videos: int, *, fast: bool, on_gpu: bool
) -> dict[str, float | int]:
    """Return the median seconds of some videos, the peak of memory, and the seconds of loading."""
    reset_peak(on_gpu)
    begin = time.perf_counter()
    made = {**entry, "settings": settings_of(entry, fast=fast)}
    generator = load_backend(made, device="auto")
    loading = time.perf_counter() - begin
    image, seconds = picture(PROMPT, width=1024, height=576), []
    call = getattr(generator, "_call", {})
    with mock.patch.dict(call, {"num_inference_steps": STEPS["first"]} if call else {}):
        generator.generate(image, PROMPT, seed=0)
    for number in range(videos):
        begin = time.perf_counter()
        frames = generator.generate(image, PROMPT, seed=1 + number)[0]
        seconds.append(time.perf_counter() - begin)
    found = {"seconds_per_video": statistics.median(seconds), "seconds_loading": loading,
             "peak_gb": peak_gb(on_gpu), "videos": videos, "frames": len(frames),
             "width": frames.shape[2], "height": frames.shape[1]}  # fmt: skip
    del generator
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
    return found


def kept(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was measured before, less what these rows measure anew."""
    keys = ("generator", "mode", "weights", "device")
    anew = {tuple(row[key] for key in keys) for row in rows}
    before = json.loads(RESULTS.read_text())["measured"] if RESULTS.is_file() else []
    return [row for row in before if tuple(row[key] for key in keys) not in anew]


@contextlib.contextmanager
def default_type(precision: str) -> Iterator[None]:
    """Have weights made at a precision, as they are published."""
    torch.set_default_dtype(getattr(torch, precision))
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def reset_peak(on_gpu: bool) -> None:
    """Have the peak of memory begin anew: of the card, or of this process where Linux lets it."""
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    elif os.access(PROCESS / "clear_refs", os.W_OK):
        (PROCESS / "clear_refs").write_text("5")


def peak_gb(on_gpu: bool) -> float:
    """Return the peak since then: what tensors took of the card, or the process of the machine (GB)."""
    if on_gpu:
        return torch.cuda.max_memory_allocated() / 1e9
    [kilobytes] = re.findall(r"VmHWM:\s+(\d+)", (PROCESS / "status").read_text())
    return int(kilobytes) * 1024 / 1e9


def device_name(on_gpu: bool) -> str:
    """Return what it was measured on."""
    cores = len(os.sched_getaffinity(0))
    return torch.cuda.get_device_name() if on_gpu else f"a CPU with {cores} cores"
