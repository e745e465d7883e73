"""All dimensions of a video together, from one decoding, beside one dimension after the other.

``BENCH_EVALUATE`` made-up videos (24 by default) of 72 frames, 256 x 448 pixels, by the embedded
dimensions and those of the camera, with one decoding thread and one of PyTorch's.
"""

import os
import tempfile
import time
from pathlib import Path

import torch

from scripts.commands.evaluate_videos import OwnVideos
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.pictures import encode_png
from scripts.common.video import encode_video
from scripts.evaluate.score_videos import score_videos
from tests.evaluate.moving_pictures import pan

VIDEOS = int(os.environ.get("BENCH_EVALUATE", 24))
SHEET = read_sheets(ROOT / "config")["dimensions"]
ENTRIES = {
    name: entry
    for name, entry in SHEET.items()
    if entry.get("embedded") or name == "temporal_flickering"
}


def run() -> dict:
    """Measure both ways in turns, and return the videos in a second, of all dimensions."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        videos = make_videos(Path(folder) / "videos")
        seconds = {"ours": 0.0, "baseline": 0.0}
        for turn in range(2):
            for way, lots in (
                ("ours", [ENTRIES]),
                ("baseline", [{name: entry} for name, entry in ENTRIES.items()]),
            ):
                start = time.perf_counter()
                for number, lot in enumerate(lots):
                    made = Path(folder) / f"{way}-{turn}"
                    score_videos(
                        videos, made / f"{number}.parquet", entries=lot, ledger_root=made / "ledger"
                    )
                seconds[way] += time.perf_counter() - start
    ours, baseline = (2 * VIDEOS / seconds[way] for way in ("ours", "baseline"))
    return {
        "ours": ours,
        "baseline": baseline,
        "ratio": ours / baseline,
        "unit": "videos per second",
        "what": (
            f"scoring {VIDEOS} videos of 72 frames of 256 x 448 in {len(ENTRIES)} embedded dimensions "
            "on a CPU, decoded once for all and once for each"
        ),
    }


def make_videos(folder: Path) -> OwnVideos:
    """Write videos of moving texture, each with its image prompt."""
    folder.mkdir()
    prompts = {}
    for number in range(VIDEOS):
        frames = pan(72, number % 4, height=256, width=448)
        (folder / f"{number}.mp4").write_bytes(encode_video(list(frames), 24.0))
        image = folder / f"{number}.png"
        image.write_bytes(encode_png(frames[0]))
        prompts[f"{number}.mp4"] = {"prompt": "", "image": str(image)}
    return OwnVideos(folder, prompts, "bench", 2000)


if __name__ == "__main__":
    print(run())
