"""All detectors of a video together, from one decoding, beside one detector after the other.

``BENCH_DETECT`` made-up videos (8 by default) of 72 frames, 576 x 1024 pixels: the spectrum's slope,
CNNSpot, and D3 with a small network, with random weights, which take
the time of trained ones.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.models import resnet50
from transformers import CLIPVisionConfig, CLIPVisionModel

from scripts.common.identity import item_uuid
from scripts.common.schemas.split import TIP_ID
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import read_table, write_table
from scripts.common.video import encode_video, probe_video
from scripts.detect.clip_detectors import D3
from scripts.detect.score_frames import score_frames
from tests.evaluate.moving_pictures import pan

VIDEOS = int(os.environ.get("BENCH_DETECT", 8))
D3_SETTINGS = {"encoder": "clip", "distance": "l2", "false_alarms": 0.01}


def run() -> dict:
    """Measure both ways in turns, and return the videos in a second, of all detectors."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, entries = make_source(folder), make_entries(folder)
        fitted = [folder / "d3.safetensors"]
        seconds = {"ours": 0.0, "baseline": 0.0}
        for turn in range(2):
            for way, lots in (
                ("ours", [entries]),
                ("baseline", [{name: entry} for name, entry in entries.items()]),
            ):
                start = time.process_time()
                for number, lot in enumerate(lots):
                    made = folder / f"{way}-{turn}"
                    score_frames(
                        [made / f"{number}.parquet"], fitted, sources={"bench": source}, splits=[],
                        entries=lot, max_per_class=1, seed=0, batch_size=8, device="cpu",
                        ledger_root=made / "ledger",
                    )  # fmt: skip
                seconds[way] += time.process_time() - start
    ours, baseline = (2 * VIDEOS / seconds[way] for way in ("ours", "baseline"))
    return {
        "ours": ours,
        "baseline": baseline,
        "ratio": ours / baseline,
        "unit": "videos per second of a core",
        "what": (
            f"scoring {VIDEOS} videos of 72 frames of 576 x 1024 by {len(entries)} detectors on a CPU, "
            "decoded once for all and once for each"
        ),
    }


def make_source(folder: Path) -> dict[str, Any]:
    """Write test videos of moving texture, and their table of TIP-ID."""
    uuids = sorted(item_uuid("bench", str(number)) for number in range(VIDEOS))
    items = []
    for number, uuid in enumerate(uuids):
        data = encode_video(list(pan(72, number % 4, height=576, width=1024)), 24.0)
        items.append(ShardItem(uuid, data, probe_video(data)))
    tar, index, split = (folder / f"bench.{form}" for form in ("tar", "index", "parquet"))
    write_shard(tar, index, items, "mp4")
    rows = [
        {"uuid": row["uuid"], "group": row["uuid"], "label": "real", "source": "bench",
         "split": "test", "tar": str(tar), "offset": row["offset"], "size_bytes": row["size_bytes"]}
        for row in read_table(index).to_pylist()
    ]  # fmt: skip
    write_table(rows, split, TIP_ID)
    return {"split": split, "tars": [tar], "indexes": [index]}


def make_entries(folder: Path) -> dict[str, dict[str, Any]]:
    """Write random weights, and return the entries that use them."""
    torch.manual_seed(0)
    torch.save({"model": resnet50(num_classes=1).state_dict()}, folder / "cnnspot.pth")
    config = CLIPVisionConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                              num_attention_heads=2, image_size=224, patch_size=16)  # fmt: skip
    CLIPVisionModel(config).save_pretrained(folder / "clip")
    place = {"path": str(folder / "clip")}
    numbers = np.linspace(1, 2, 20)[:, None]
    D3(place, device="cpu", **D3_SETTINGS).fit(
        numbers, np.arange(20) > 9, folder / "d3.safetensors", seed=0
    )
    return {
        "spectrum": {"backend": "scripts.detect.spectrum:Spectrum"},
        "cnnspot": {
            "backend": "scripts.detect.picture_classifier:CnnSpot",
            "weights": {"path": str(folder / "cnnspot.pth")},
            "settings": {"resize": 256, "crop": 224},
        },
        "d3": {
            "backend": "scripts.detect.clip_detectors:D3",
            "weights": place,
            "settings": D3_SETTINGS,
        },
    }


if __name__ == "__main__":
    print(run())
