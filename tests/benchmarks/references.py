"""References read for all public tracers of Table 5 in one job, beside a job for each tracer.

Networks, and the normalisation that a GPU does before them, are left out: what is measured is the
reading of PNG pictures from a tar, their decoding and their reduction to the input sizes of
``config/config.yaml``'s tracers, on one core (``BENCH_REFERENCES`` pictures of 768 x 1024; 24 by
default).
"""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from skimage import data

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.identity import item_uuid
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.schemas.split import REFERENCE, TRACE_IMAGES
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import read_table, write_table
from scripts.trace.extract_features import extract_features
from scripts.trace.preprocessing import Preprocessing
from scripts.trace.torch_tracer import TorchTracer

PICTURES = int(os.environ.get("BENCH_REFERENCES", 24))
SHEET = read_sheets(ROOT / "config")["tracers"]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())
NAMES = [name for name in CONFIG["trace"]["tracers"] if "backend" in SHEET[name]]


class Reading(TorchTracer):
    """A tracer without a network: pictures go no further than to their squares."""

    def __init__(self, weights=None, device="cpu", **settings):
        super().__init__(torch.nn.Identity(), name="none", dimension=3, device=device, **settings)

    def embed_prepared(self, pictures: Sequence[list[np.ndarray]]) -> np.ndarray:
        """Return float32 of shape (pictures, 3), the same for all."""
        return np.full((len(pictures), self.dimension), self.dimension**-0.5, np.float32)


def run() -> dict:
    """Measure both ways, in turns, and return the pictures in a second, of all tracers."""
    torch.set_num_threads(1)
    known = {*Preprocessing.__dataclass_fields__, "sizes"} - {"normalisation"}
    entries = {
        name: {
            "backend": f"{__name__}:Reading",
            "settings": {k: v for k, v in SHEET[name]["settings"].items() if k in known},
        }
        for name in NAMES
    }
    with tempfile.TemporaryDirectory() as folder:
        pictures = {"references": {"images": write_references(Path(folder))}}
        seconds = {"ours": 0.0, "baseline": 0.0}
        for turn in range(2):
            for way, lots in (("ours", [NAMES]), ("baseline", [[name] for name in NAMES])):
                start = time.perf_counter()
                for lot in lots:
                    root = Path(folder) / f"{way}-{turn}"
                    extract_features(
                        [root / name / "references" / "00000.parquet" for name in lot],
                        entries={name: entries[name] for name in lot},
                        pictures=pictures,
                        batch_size=8,
                        ledger_root=root
                        / "ledger"
                        / lot[0],  # else equal stand-ins recall each other
                    )
                seconds[way] += time.perf_counter() - start
    ours, baseline = (2 * PICTURES / seconds[way] for way in ("ours", "baseline"))
    return {
        "ours": ours,
        "baseline": baseline,
        "ratio": ours / baseline,
        "unit": "references per second",
        "what": (
            f"reading, decoding and reducing {PICTURES} PNG pictures of 768 x 1024 for "
            f"{len(NAMES)} tracers on one core, in one job (trace.jobs: shared) and in one each"
        ),
    }


def write_references(folder: Path) -> Path:
    """Write a tar of parts of a photograph, and the list of them."""
    photograph = np.tile(data.astronaut(), (3, 4, 1))
    items = []
    for number in range(PICTURES):
        picture = np.ascontiguousarray(photograph[number : number + 768, number : number + 1024])
        uuid = item_uuid("reference", str(number))
        items.append(ShardItem(uuid, encode_png(picture), picture_properties(picture)))
    tar = folder / "00000.tar"
    write_shard(tar, tar.with_suffix(".parquet"), sorted(items, key=lambda one: one.uuid), "png")
    rows = read_table(tar.with_suffix(".parquet")).to_pylist()
    places = ("uuid", "offset", "size_bytes", "sha256")
    listed = [{"role": REFERENCE, "tar": str(tar)} | {k: row[k] for k in places} for row in rows]
    write_table(listed, folder / "references.parquet", TRACE_IMAGES)
    return folder / "references.parquet"
