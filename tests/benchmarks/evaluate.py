"""All dimensions of a video together, from one decoding, beside one dimension after the other.

``BENCH_EVALUATE`` made-up videos (24 by default) of 72 frames, 256 x 448 pixels, by the embedded
dimensions and those of the camera, with one decoding thread and one of PyTorch's; with a GPU by
those of DINO and RAFT, and it is said for which share of the time the GPU waits.
"""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import timm
import torch
from torchvision.models.optical_flow import raft_large

from scripts.commands.evaluate_videos import OwnVideos
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.pictures import encode_png
from scripts.common.video import encode_video
from scripts.evaluate.score_videos import score_videos
from tests.evaluate.moving_pictures import pan

VIDEOS = int(os.environ.get("BENCH_EVALUATE", 24))
SHEET = read_sheets(ROOT / "config")["dimensions"]
EMBEDDED = [name for name in SHEET if SHEET[name].get("embedded")]
NETWORKS = {
    "dino_vitbase16_pretrain.pth": lambda: timm.create_model("vit_base_patch16_224.dino"),
    "raft_large_C_T_V1-22a6c225.pth": lambda: raft_large(weights=None),
}
"""Files of weights for which drawn ones do, where a GPU is there to be kept busy."""


def run() -> dict:
    """Measure both ways in turns, and return the videos in a second, of all dimensions."""
    torch.set_num_threads(1)
    on_gpu = torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as folder:
        videos = make_videos(Path(folder) / "videos")
        entries = entries_of(Path(folder), on_gpu)
        seconds, busy = {"ours": 0.0, "baseline": 0.0}, {"ours": 0.0, "baseline": 0.0}
        for turn in range(2):
            for way, lots in (
                ("ours", [entries]),
                ("baseline", [{name: entry} for name, entry in entries.items()]),
            ):
                for number, lot in enumerate(lots):
                    made = Path(folder) / f"{way}-{turn}"
                    work = partial(
                        score_videos, videos, made / f"{number}.parquet", entries=lot,
                        ledger_root=made / "ledger", device="auto" if on_gpu else "cpu",
                    )  # fmt: skip
                    took, worked = timed(work, on_gpu)
                    seconds[way], busy[way] = seconds[way] + took, busy[way] + worked
    ours, baseline = (2 * VIDEOS / seconds[way] for way in ("ours", "baseline"))
    found = {
        "ours": ours,
        "baseline": baseline,
        "ratio": ours / baseline,
        "unit": "videos per second",
        "what": (
            f"scoring {VIDEOS} videos of 72 frames of 256 x 448 in {len(entries)} dimensions on a "
            f"{'GPU (drawn weights)' if on_gpu else 'CPU'}, decoded once for all and once for each"
        ),
    }
    if on_gpu:
        found["gpu_waits"] = {way: 1 - busy[way] / seconds[way] for way in seconds}
        print(f"the GPU waits {found['gpu_waits']['ours']:.0%} of the time, "
              f"and {found['gpu_waits']['baseline']:.0%} where it is one after the other")  # fmt: skip
    return found


def entries_of(folder: Path, on_gpu: bool) -> dict[str, dict]:
    """Return the embedded entries or, with a GPU, those of DINO and RAFT at their full size."""
    if not on_gpu:
        return {name: SHEET[name] for name in [*EMBEDDED, "temporal_flickering"]}
    entries = {}
    for file, make in NETWORKS.items():
        torch.save(make().state_dict(), folder / file)
        for name, entry in SHEET.items():
            if Path(entry.get("weights", {}).get("path", "")).name == file:
                entries[name] = entry | {"weights": {"path": str(folder / file)}}
    return entries


def timed(work: Callable[[], object], on_gpu: bool) -> tuple[float, float]:
    """Return how many seconds some work took, and for how many of them the GPU worked."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    start = time.perf_counter()
    with torch.profiler.profile(activities=activities) if on_gpu else nullcontext() as profile:
        work()
    took = time.perf_counter() - start
    kernels = profile.key_averages() if profile else []
    return took, sum(kernel.self_device_time_total for kernel in kernels) / 1e6


def make_videos(folder: Path) -> OwnVideos:
    """Write videos of moving texture, each with its image prompt."""
    folder.mkdir()
    prompts = {}
    for number in range(VIDEOS):
        frames = pan(72, number % 4, height=256, width=448)
        (folder / f"{number}.mp4").write_bytes(encode_video(list(frames), 24.0))
        image = folder / f"{number}.png"
        image.write_bytes(encode_png(frames[0]))
        prompts[f"{number}.mp4"] = {"prompt": "camera pans right", "image": str(image)}
    return OwnVideos(folder, prompts, "bench", 2000)


if __name__ == "__main__":
    print(run())
