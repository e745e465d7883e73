"""One more export costs its own parsing, the prompts, and what its new prompts need."""

import json
import os
from collections import Counter

import numpy as np
import pytest
import yaml

from scripts.common.code import ROOT
from scripts.common.tables import read_table
from scripts.common.video import encode_video
from tests.curate.small_export import export, generation, in_bold
from tests.workflow.demo_copy import Job, Workflow

SHARDS = ("00000", "00001")
PROMPTS = [f"results/prompts/{shard}.parquet" for shard in SHARDS]


@pytest.fixture
def channel(tmp_path):
    """A folder with two exports, of one prompt each."""
    (tmp_path / "data/exports").mkdir(parents=True)
    for number, name in enumerate(("animate", "create")):
        put(tmp_path, name, number, f"a cat number {number}")
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"curate": {"shards": len(SHARDS)}}))
    return tmp_path


CONDA = """#!/bin/sh
case "$1" in
    --version) echo conda 24.11.3 ;;
    info) echo '{"conda_prefix": "/opt/conda", "platform": "linux-64"}' ;;
    *) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
"""
"""What Snakemake asks a conda before it plans."""


def put(folder, name, number, text):
    path = folder / "data/exports" / f"{name}.html"
    path.write_text(export([generation(number + 1, in_bold(text))]))


def put_with_videos(folder, name, *texts):
    """Put an export there whose videos lie beside it, as ``--media`` leaves them."""
    exports = folder / "data/exports"
    (exports / f"{name}.html_Files").mkdir(parents=True)
    said = []
    for number, text in enumerate(texts):
        video = f"{name}.html_Files/{number}.mp4"
        frames = np.full((4, 32, 32, 3), 20 * number + 10 * len(name), np.uint8)
        (exports / video).write_bytes(encode_video(frames, 4, crf=18))
        said.append(generation(100 * len(name) + number, in_bold(text), video=video))
    (exports / f"{name}.html").write_text(export(*([one] for one in said)))


def items(folder):
    """Return what the records of all jobs say: rule -> (items done, items recalled)."""
    found: dict[str, Counter] = {}
    for path in (folder / "logs").rglob("*.json"):
        record = json.loads(path.read_text())
        if record["items"]:
            found.setdefault(record["rule"], Counter()).update(record["items"])
    return {rule: (counted["done"], counted["recalled"]) for rule, counted in found.items()}


def of_shards(rule, **wildcards):
    return {Job(rule, tuple(sorted((wildcards | {"shard": shard}).items()))) for shard in SHARDS}


def test_only_the_new_export_is_parsed_and_only_its_prompts_are_new(channel, monkeypatch):
    workflow = Workflow(ROOT)
    here = ("--configfile", str(channel / "my.yaml"), "--directory", str(channel), "--nolock")
    answer = workflow.snakemake(*PROMPTS, *here, "--cores", "1", "--verbose")
    assert answer.returncode == 0, answer.stdout[-2000:]
    # Snakemake looks for work once for each of the three jobs, and not every second as well.
    assert answer.stdout.count("Ready jobs: ") == 3
    parsed = {path: path.stat().st_mtime_ns for path in channel.glob("results/messages/*.parquet")}
    assert len(parsed) == 2 and workflow.plan(*PROMPTS, *here) == set()
    (channel / "conda").write_text(CONDA)
    (channel / "conda").chmod(0o755)
    with monkeypatch.context() as with_conda:
        with_conda.setenv("PATH", f"{channel}:{os.environ['PATH']}")
        assert workflow.plan(*PROMPTS, *here, "--sdm", "conda") == set(), "made without it"
    put(channel, "more", 7, "a dog")
    own = {Job("extract_messages", (("export", "more"),)), Job("collect_prompts")}
    assert workflow.plan(*PROMPTS, *here) == own
    images = [f"results/images/{shard}.tar" for shard in SHARDS]
    videos = of_shards("fetch_videos", generator="pika") | of_shards("extract_images")
    assert workflow.plan(*images, *here) == own | videos
    answer = workflow.snakemake(*PROMPTS, *here)
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert {path: path.stat().st_mtime_ns for path in parsed} == parsed
    texts = read_table([channel / path for path in PROMPTS])["prompt"].to_pylist()
    assert sorted(texts) == ["a cat number 0", "a cat number 1", "a dog"]


def test_only_the_new_prompts_are_worked_on(tmp_path):
    """Of each rule with a ledger, how many items were done; a known prompt said again is none."""
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"curate": {"shards": 1}}))
    here = ("--configfile", str(tmp_path / "my.yaml"), "--directory", str(tmp_path), "--nolock")

    def run():
        answer = Workflow(ROOT).snakemake("results/watermark/scores/00000.parquet", *here)
        assert answer.returncode == 0, answer.stdout[-2000:]
        return items(tmp_path)

    rules = ("fetch_videos", "extract_images", "score_watermarks")
    put_with_videos(tmp_path, "animate", *(f"a cat number {number}" for number in range(3)))
    assert run() == dict.fromkeys(rules, (3, 0))
    put_with_videos(tmp_path, "create", "a dog", "a cat number 0", "a horse")
    assert run() == dict.fromkeys(rules, (2, 3))
