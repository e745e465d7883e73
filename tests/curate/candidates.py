"""Tables of prompts whose candidates are links, for the search for videos."""

from datetime import UTC, datetime

import numpy as np

from scripts.common.identity import prompt_uuid
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.schemas.videos import VIDEO_CANDIDATES
from scripts.common.shards import Shard
from scripts.common.tables import fit, read_table, write_table
from scripts.common.video import encode_video
from scripts.curate.fetch_videos import fetch_videos
from scripts.curate.link_policy import Network, is_public

LINKS = {
    "fetch": True, "hosts": [], "mirror": "", "fresh_table": "", "fresh_command": [], "proxy": "",
    "connections_per_host": 8, "requests_per_second": 0, "tries": 3, "connect_timeout_s": 10,
    # Long enough for a machine on which much else runs, shorter than what hangs.
    "read_timeout_s": 2.5, "total_timeout_s": 3.0, "first_wait_s": 0.01, "longest_wait_s": 1.5,
    "max_mb": 0.4, "max_megapixels": 1, "max_redirects": 3, "give_up_after": 10_000, "remember_days": 7,
}  # fmt: skip


def tiny_video():
    """Return an MP4 of two frames, about 1 kB."""
    frames = np.full((2, 16, 16, 3), 90, np.uint8)
    frames[1] = 200
    return encode_video(frames, 24)


async def look_up_here(host, port):
    """Resolve the tests' names; no other name is known."""
    return {
        "media.test": ["127.0.0.1"], "other.test": ["127.0.0.1"], "inside.test": ["10.0.0.1"],
        "half.test": ["127.0.0.1", "169.254.169.254"],
    }[host]  # fmt: skip


def public_or_here(address):
    """Let this machine pass for public; everything else is judged for real."""
    return address == "127.0.0.1" or is_public(address)


HERE = Network(scheme="http", look_up=look_up_here, is_public=public_or_here)


def write_prompts(path, wanted):
    """Write a table of prompts: prompt -> videos of its candidates; return prompt -> uuid."""
    rows = [
        {
            "uuid": prompt_uuid(prompt), "prompt": prompt, "kind": "image_to_video",
            "timestamp_utc": datetime(2023, 8, 1, tzinfo=UTC), "messages": len(videos),
            "candidates": [
                {"message_id": str(number), "export": "a", "video": video}
                for number, video in enumerate(videos)
            ],
        }
        for prompt, videos in wanted.items()
    ]  # fmt: skip
    write_table(fit(rows, PROMPTS), path, PROMPTS)
    return {row["prompt"]: row["uuid"] for row in rows}


def fetch(folder, wanted, *, network=HERE, export="a.html", now=None, **links):
    """Fetch videos as the rule does; return counts, reasons by prompt, shard, looks, notes."""
    prompts = folder / "prompts" / "00000.parquet"
    uuids = write_prompts(prompts, wanted)
    tar, index = folder / "videos" / "00000.tar", folder / "videos" / "00000.parquet"
    notes = []
    counts = fetch_videos(
        prompts, tar, index, folder / "candidates.parquet",
        exports={"a": str(folder / export)}, links=LINKS | links, threads=2,
        now=now, ledger_root=folder / "ledger", network=network, note=notes.append,
    )  # fmt: skip
    shard = Shard(tar, index)
    reasons = {prompt: shard.rows[uuid]["reason"] for prompt, uuid in uuids.items()}
    looks = read_table(folder / "candidates.parquet", VIDEO_CANDIDATES).to_pylist()
    return counts, reasons, shard, looks, notes
