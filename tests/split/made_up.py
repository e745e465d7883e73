"""Made-up tables that the splits read: data sets, chosen prompts, indexes."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from scripts.common.fingerprints import sha256_of
from scripts.common.identity import item_uuid
from scripts.common.schemas.generate import CHOSEN
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.tables import write_table


def prompt_ids(number: int) -> list[str]:
    """Return the ids of the first made-up prompts; a longer list begins with a shorter one."""
    return [item_uuid("prompts", str(place)) for place in range(number)]


def write_dataset(path: Path, subjects: Sequence[str]) -> list[str]:
    """Write a data set with a prompt for each of ``subjects``; return the ids."""
    uuids = prompt_ids(len(subjects))
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(
        {
            "UUID": uuids,
            "Text_Prompt": [f"{subject} moves" for subject in subjects],
            "Subject": subjects,
            "Timestamp": "2024-01-01 00:00:00",
        }
    ).to_parquet(path)
    return uuids


def write_chosen(path: Path, uuids: Iterable[str], evaluated: Iterable[str] = ()) -> Path:
    """Write chosen prompts: ``uuids`` are the subset, ``evaluated`` only in TIP-Eval."""
    rows = [(uuid, True, False) for uuid in uuids] + [(uuid, False, True) for uuid in evaluated]
    write_table(
        [
            {"uuid": uuid, "prompt": "a cat", "subset": subset, "tip_eval": tip_eval}
            for uuid, subset, tip_eval in rows
        ],
        path,
        CHOSEN,
    )
    return path


def write_index(
    path: Path,
    uuids: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    rejected: Iterable[str] = (),
    frames: Sequence[int] | int = 16,
    same_bytes: bool = False,
) -> Path:
    """Write an index of items, those in ``rejected`` without a file."""
    rejected, offset, rows = set(rejected), 512, []
    for place, uuid in enumerate(uuids):
        group = groups[place] if groups else None
        if uuid in rejected:
            rows.append(
                {"uuid": uuid, "group": group, "status": "rejected", "reason": "undecodable"}
            )
            continue
        size = random.Random(uuid).randrange(100, 5000)
        name = "all" if same_bytes else f"{path.parent.name}/{path.stem}/{uuid}"
        rows.append(
            {
                "uuid": uuid,
                "group": group,
                "status": "ok",
                "width": 64,
                "height": 64,
                "fps": 8.0,
                "frames": frames if isinstance(frames, int) else frames[place],
                "duration_s": 2.0,
                "codec": "h264",
                "size_bytes": size,
                "sha256": sha256_of(name.encode()),
                "offset": offset,
            }
        )
        offset += 1024 + size
    write_table(rows, path, ITEM_INDEX)
    return path
