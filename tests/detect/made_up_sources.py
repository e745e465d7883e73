"""Made-up sources of TIP-ID: tiny videos whose class can be seen in their colour."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.common.identity import item_uuid
from scripts.common.rule_log import Counts
from scripts.common.schemas.split import IMAGE_GENERATED, REAL, TEXT_GENERATED, TIP_ID
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import read_table, write_table
from scripts.common.video import encode_video, probe_video
from scripts.detect.train_videomae import train_videomae

LABELS = {
    "camera": REAL,
    "dreamer": TEXT_GENERATED,
    "pika": IMAGE_GENERATED,
    "svd": IMAGE_GENERATED,
}
COLOURS = {REAL: (150, 40, 40), TEXT_GENERATED: (40, 150, 40), IMAGE_GENERATED: (40, 40, 150)}


def made_up_frames(label: str, seed: int, frames: int = 12) -> np.ndarray:
    """Return uint8 RGB (frames, 36, 48, 3): a class's colour and a moving texture."""
    rng = np.random.default_rng(seed)
    texture = rng.integers(0, 60, (36, 48, 3))
    clip = np.stack([np.roll(texture, step, axis=1) for step in range(frames)])
    return (clip + np.array(COLOURS[label])).clip(0, 255).astype(np.uint8)


def make_source(
    folder: Path,
    name: str,
    train: int,
    test: int,
    *,
    broken_trains: int = 0,
    broken_tests: int = 0,
    missing_tests: int = 0,
    fps: float = 8,
) -> dict[str, Any]:
    """Write a source: its tar, index and table of TIP-ID.

    Broken videos do not decode, though their index rows are good; missing ones have only a row of
    TIP-ID.
    """
    label = LABELS[name]
    broken = {*range(broken_trains), *range(train, train + broken_tests)}
    items, uuids = [], [item_uuid(name, str(number)) for number in range(train + test)]
    for number, uuid in enumerate(uuids[: train + test - missing_tests]):
        data = encode_video(made_up_frames(label, number * 7 + len(name)), fps=fps)
        properties = probe_video(data)
        if number in broken:
            data = b"no video at all" + bytes([number])
        items.append(ShardItem(uuid, data, properties))
    tar, index = folder / name / "00000.tar", folder / name / "00000.parquet"
    write_shard(tar, index, sorted(items, key=lambda item: item.uuid), "mp4")
    places = {row["uuid"]: row for row in read_table(index).to_pylist()}
    rows = []
    for number, uuid in enumerate(uuids):
        place = places.get(uuid, {"offset": 0, "size_bytes": 0})
        rows.append(
            {
                "uuid": uuid,
                "group": uuid,
                "label": label,
                "source": name,
                "split": "train" if number < train else "test",
                "tar": str(tar),
                "offset": place["offset"],
                "size_bytes": place["size_bytes"],
            }
        )
    split = folder / "tip_id" / f"{name}.parquet"
    write_table(rows, split, TIP_ID)
    return {"split": split, "tars": [tar], "indexes": [index]}


def tiny_entry(**training: object) -> dict:
    """Return an entry of a VideoMAE that trains in seconds on a CPU."""
    return {
        "backend": "scripts.detect.videomae:VideoMae",
        "settings": {
            "clip": {"frames": 4, "seconds": 1.0, "size": 32, "short_side": [32, 40]},
            "training": {"iterations": 40, "batch_size": 6, "learning_rate": 5e-3} | training,
            "model": {
                "patch_size": 16,
                "tubelet_size": 2,
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 32,
                "use_mean_pooling": True,
            },
            "running": {"frames_in_memory_mb": 50, "workers": 0, "checkpoint_every": 5},
        },
    }


def train(
    sources: Mapping[str, Mapping[str, Any]],
    folder: Path,
    ledger: Path,
    entry: dict | None = None,
    names: Sequence[str] = tuple(LABELS),
    name: str = "cross_domain-pika",
    **how: object,
) -> Counts:
    """Train on some sources; the outputs lie in ``folder``."""
    return train_videomae(
        [folder / "weights.safetensors"],
        [folder / "curve.csv"],
        trainings={name: names},
        sources=sources,
        entry=entry or tiny_entry(),
        seed=7,
        ledger_root=ledger,
        **how,
    )
