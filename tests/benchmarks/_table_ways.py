"""Two ways from messages and annotations to the data set: the workflow's, and pandas'.

``python -m tests.benchmarks._table_ways ours|pandas FOLDER`` runs one of them on two cores and
prints what it took, as JSON.
"""

import hmac
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from scripts.annotate.build_dataset import VALUES, build_dataset
from scripts.annotate.graph import EMBEDDINGS
from scripts.common.identity import prompt_uuid
from scripts.curate.collect_prompts import collect_prompts
from scripts.publish.pack_embeddings import pack_embeddings

CORES = 2
KINDS = ["image_to_video", "unknown"]


def run_ours(folder: Path) -> Iterator[tuple[str, int]]:
    """Run what the rules run, in their order; yield each step's name and what it counted."""
    indexes = files(folder, "images")
    prompts = [folder / "prompts" / path.name for path in indexes]
    counts = collect_prompts(
        files(folder, "messages"), prompts, folder / "rejects.parquet", kinds=KINDS, user_key="key"
    )
    assert not counts.lost, counts
    yield "collect_prompts", counts.read
    annotations = {name: files(folder, "annotations", name) for name in VALUES}
    dataset = folder / "dataset.parquet"
    counts = build_dataset(
        prompts, indexes, annotations, folder / "subjects.parquet", dataset, folder / "left.parquet"
    )
    assert not counts.lost, counts
    yield "build_dataset", counts.kept

    def pack(modality: str) -> int:
        found = files(folder, "embeddings", EMBEDDINGS[modality])
        return pack_embeddings(
            dataset, found, folder / f"{modality}.parquet", modality=modality
        ).kept

    with ThreadPoolExecutor(CORES) as pool:  # two jobs, which the workflow runs side by side
        rows = list(pool.map(pack, EMBEDDINGS))
    assert rows == [counts.kept] * 2
    yield "pack_embeddings", counts.kept


def run_pandas(folder: Path) -> Iterator[tuple[str, int]]:
    """Do the same with whole tables in memory; yield each step's name and what it counted."""
    messages = pd.concat([pd.read_parquet(path) for path in files(folder, "messages")])
    read = len(messages)
    messages = messages.sort_values(["timestamp_utc", "message_id"]).drop_duplicates("message_id")
    messages["prompt"] = messages["prompt"].map(lambda text: " ".join(text.split()))
    messages = messages[messages["kind"].isin(KINDS) & (messages["prompt"] != "")]
    videos = messages.groupby("prompt", sort=False)["video"].agg(list)
    prompts = messages.drop_duplicates("prompt").set_index("prompt")
    prompts = prompts.assign(candidates=videos).reset_index()
    prompts["uuid"] = prompts["prompt"].map(prompt_uuid)
    prompts["UserID"] = prompts["requester"].map(
        lambda name: hmac.new(b"key", name.encode(), "sha256").hexdigest()[:32]
    )
    prompts.to_parquet(folder / "prompts.parquet")
    yield "prompts", read
    table = prompts[["uuid", "prompt", "timestamp_utc", "UserID"]]
    images = pd.concat([pd.read_parquet(path) for path in files(folder, "images")])
    table = table.merge(images.loc[images["status"] == "ok", ["uuid"]], on="uuid")
    columns = {
        "text_nsfw": "score", "image_nsfw": "label", "subject": "subject", "direction": "verbs",
        "text_embedding": "embedding", "image_embedding": "embedding",
    }  # fmt: skip
    for name, column in columns.items():
        kind = "embeddings" if column == "embedding" else "annotations"
        found = pd.concat([pd.read_parquet(path) for path in files(folder, kind, name)])
        if kind == "annotations":
            found = found.loc[found["status"] == "ok"]
        found = found[["uuid", column]]
        table = table.merge(found.rename(columns={column: name}), on="uuid")
    names = pd.read_parquet(folder / "subjects.parquet")[["variant", "subject"]]
    names = names.rename(columns={"variant": "subject", "subject": "Subject"})
    table = table.merge(names, on="subject", how="left").sort_values("uuid")
    table["direction"] = table["direction"].map(", ".join)
    yield "join", len(table)
    for modality in EMBEDDINGS:
        name = f"{modality.lower()}_embedding"
        table[["uuid", name]].to_parquet(folder / f"{modality}.parquet")
    table.drop(columns=["text_embedding", "image_embedding"]).to_parquet(folder / "dataset.parquet")
    yield "write", len(table)


def files(folder: Path, *names: str) -> list[Path]:
    """Return the tables of a folder, in order."""
    return sorted(folder.joinpath(*names).glob("*.parquet"))


def main(way: str, folder: Path) -> None:
    """Run one way, and print its seconds, its peak of memory, and what it counted."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    start, steps, counted = time.perf_counter(), {}, []
    last = start
    for step, number in {"ours": run_ours, "pandas": run_pandas}[way](folder):
        now = time.perf_counter()
        steps[step], last = now - last, now
        counted.append(number)
    # Linux only: other counters also count what the process was before it became this one.
    peak_kib = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]
    found = {
        "seconds": last - start, "cpu_seconds": time.process_time(), "steps": steps,
        "peak_gb": int(peak_kib) * 1024 / 1e9, "messages": counted[0], "rows": counted[-1],
    }  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
