"""Reading a Discord export end to end, beside parsers that only build the tree of the same file.

A file of 2 GB is made in the form of DiscordChatExporter 2.43 (`BENCH_PARSE_BYTES` for another
size): the demo's channel many times over, with signed links instead of local videos, and each time
with other ids, seeds and links. Each parser runs in a process of its own on one core, in turns.
"""

import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from scripts.demo.channel import USERS, write_channel
from scripts.demo.export_html import render_export
from scripts.demo.generations import plan_generations
from scripts.demo.make_demo_channel import CREATE
from scripts.demo.times import Locale

SIZE_BYTES = int(float(os.environ.get("BENCH_PARSE_BYTES", 2e9)))
TREE_BYTES = 200_000_000
"""A tree takes eleven times the memory of its file: one of 2 GB would fit on few machines."""
SOUP_BYTES = 4_000_000
ROUNDS = 3
CHANNELS, GENERATIONS = 16, 2000
VIDEO_BYTES = 2_900_000

OURS = """
from scripts.curate.extract_messages import extract_messages
def prepare(path):
    return path
def parse(path):
    folder = path.parent
    counts = extract_messages(
        path, folder / "messages.parquet", folder / "rejects.parquet", folder / "state.parquet", bot_names=["Pika"]
    )
    assert counts.kept and not counts.lost and not counts.notes, counts
"""
LEXBOR = """
from selectolax.lexbor import LexborHTMLParser
def prepare(path):
    return path.read_bytes()
def parse(data):
    return LexborHTMLParser(data)
"""
SOUP = """
from bs4 import BeautifulSoup
def prepare(path):
    return path.read_bytes()
def parse(data):
    return BeautifulSoup(data, "html.parser")
"""
MEASURE = """
import json, os, re, sys, time
from pathlib import Path
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
work = prepare(Path(sys.argv[1]))
wall, cpu = time.perf_counter(), time.process_time()
tree = parse(work)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
# Linux only: other counters also count what the process was before it became this one.
peak_kib = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mb": int(peak_kib) * 1024 / 1e6}), flush=True)
os._exit(0)  # to free a tree is no part of building it
"""


PARSERS = {
    "ours": (OURS, SIZE_BYTES),
    "lexbor": (LEXBOR, min(TREE_BYTES, SIZE_BYTES)),
    "beautifulsoup": (SOUP, min(SOUP_BYTES, SIZE_BYTES)),
}


def run() -> dict:
    """Measure every parser in turns, print the ratios, and return them."""
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.html" for name in PARSERS}
        parts = make_parts()
        for name, (_, size_bytes) in PARSERS.items():
            messages = write_export(files[name], parts, size_bytes)
            size_mb = files[name].stat().st_size / 1e6
            print(f"made {size_mb:,.0f} MB with {messages:,} messages for {name}", flush=True)
        for number in range(ROUNDS):
            rounds.append({name: measure(PARSERS[name][0], path) for name, path in files.items()})
            for name, found in rounds[-1].items():
                print(f"round {number + 1}: {name:13s} " + describe(found), flush=True)

    def median(name: str, figure: str) -> float:
        return statistics.median(found[name][figure] for found in rounds)

    def ratio(name: str, figure: str) -> float:
        return statistics.median(found["ours"][figure] / found[name][figure] for found in rounds)

    result = {
        "ours": median("ours", "cpu_mb_per_s"),
        "baseline": median("lexbor", "cpu_mb_per_s"),
        "ratio": ratio("lexbor", "cpu_mb_per_s"),
        "unit": "MB per second of one core's time",
        "what": (
            f"an export of {SIZE_BYTES / 1e9:g} GB to Parquet, beside selectolax (lexbor) building "
            f"the tree of the first {PARSERS['lexbor'][1] / 1e6:g} MB of the same file (a tree of "
            f"all of it would not fit in memory), medians of {ROUNDS} turns"
        ),
        "ratio_wall": ratio("lexbor", "wall_mb_per_s"),
        "ours_wall": median("ours", "wall_mb_per_s"),
        "baseline_wall": median("lexbor", "wall_mb_per_s"),
        "beautifulsoup": median("beautifulsoup", "cpu_mb_per_s"),
        "ratio_beautifulsoup": ratio("beautifulsoup", "cpu_mb_per_s"),
        "peak_memory_mb": max(found["ours"]["peak_mb"] for found in rounds),
        "baseline_peak_memory_mb": median("lexbor", "peak_mb"),
    }
    print(
        f"ours / lexbor {result['ratio']:.2f} ({result['ratio_wall']:.2f} by the clock), "
        f"ours / BeautifulSoup {result['ratio_beautifulsoup']:.0f}, "
        f"peak memory {result['peak_memory_mb']:.0f} MB"
    )
    return result


def measure(code: str, path: Path) -> dict[str, float]:
    """Run a parser in a fresh process on one core; return its rates and its peak of memory."""
    threads = {f"{name}_THREADS": "1" for name in ("POLARS_MAX", "OMP_NUM", "RAYON_NUM")}
    done = subprocess.run(
        [sys.executable, "-c", code + MEASURE, str(path)],
        capture_output=True, text=True, env=os.environ | threads,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    seconds = json.loads(done.stdout.splitlines()[-1])
    size_mb = path.stat().st_size / 1e6
    return {
        "cpu_mb_per_s": size_mb / seconds["cpu_s"],
        "wall_mb_per_s": size_mb / seconds["wall_s"],
        "peak_mb": seconds["peak_mb"],
    }


def describe(found: dict[str, float]) -> str:
    return ", ".join(f"{figure} {value:,.1f}" for figure, value in found.items())


def make_parts() -> list[bytes]:
    """Return the head of a file, the groups of messages of several made-up channels, and the tail.

    All videos are signed links, as in an export without its media.
    """
    messages = []
    for seed in range(CHANNELS):
        plan = plan_generations(GENERATIONS, seed, USERS)
        linked = [replace(generation, fault="expired_link") for generation in plan]
        messages += write_channel(CREATE, linked, seed, lambda *_: VIDEO_BYTES)[0]
    text = render_export(
        messages, Locale("en-US", -7), guild="Pika", channel="create", topic="made up"
    )
    head, opening, rest = text.encode().partition(b'<div class="chatlog">\n')
    groups, closing, tail = rest.rpartition(b"\n\n</div>\n<div class=postamble>")
    return [head + opening, groups, closing + tail]


def write_export(path: Path, parts: list[bytes], size_bytes: int) -> int:
    """Write the first ``size_bytes`` or so of an endless export; return how many messages it has.

    The groups come again and again, each time with other ids, seeds and links.
    """
    head, groups, tail = parts
    messages, left = 0, size_bytes
    with open(path, "wb") as file:
        file.write(head)
        for turn in itertools.count():
            if left <= 0:
                break
            piece = groups
            if left < len(groups):
                piece = groups[: groups.rindex(b"\n<div class=chatlog__message-group>", 0, left)]
            piece = re.sub(rb"\d{9,19}", partial(_renumbered, turn), piece)
            file.write(piece)
            messages += piece.count(b" data-message-id=")
            left -= len(groups)
        file.write(re.sub(rb"Exported [\d,]+", b"Exported %d" % messages, tail))
    return messages


def _renumbered(turn: int, number: re.Match[bytes]) -> bytes:
    return b"%d" % (int(number[0]) + turn * 1_000_003)
