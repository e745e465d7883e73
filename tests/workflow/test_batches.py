"""A column by the batch API in the real graph: sent by one job, fetched by another, killed between."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
import yaml

from scripts.common.code import ROOT
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.annotate import DIRECTION
from scripts.common.tables import read_table
from tests.annotate.made_up import write_images, write_prompts
from tests.annotate.openai_server import OpenAIServer

SHARDS = {"00000": ["a cat walks", "a dog runs"], "00001": ["a fish swims"]}
RULES = ["estimate_costs", "submit_batches", "fetch_batches"]


@pytest.fixture
def server(monkeypatch):
    with OpenAIServer() as server:
        server.answer = lambda text: text.split()[-1]
        yield server


def start(server, folder, *arguments):
    """Start Snakemake on all tables of directions, for which GPT-4o is asked in batches."""
    settings = {"annotate": {"annotators": {"direction": "gpt_4o_direction"}}}
    (folder / "my.yaml").write_text(yaml.safe_dump(settings))
    targets = [f"results/annotations/direction/{shard}.parquet" for shard in SHARDS]
    command = [
        sys.executable, "-m", "snakemake", *targets, "--directory", str(folder), "--configfile",
        "config/demo.yaml", str(folder / "my.yaml"), "--cores", "1", "--nolock", *arguments,
        "--allowed-rules", *RULES,
    ]  # fmt: skip
    secrets = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "made-up-key"}
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | secrets, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def resources_of(said):
    """Return what the job of each rule asks for, by what Snakemake says when it starts it."""
    blocks = re.findall(r"^(?:local)?rule (\w+):\n(.*?)(?=^\S|\Z)", said, re.M | re.S)
    asked = {rule: re.search(r"resources: (.*)", block) for rule, block in blocks}
    return {rule: set(found[1].split(", ")) for rule, found in asked.items() if found}


def test_a_run_killed_between_sending_and_fetching_goes_on_and_pays_nothing_twice(server, tmp_path):
    for shard, texts in SHARDS.items():
        write_prompts(tmp_path / f"results/prompts/{shard}.parquet", texts)
        write_images(tmp_path / "results/images", shard, texts)
    server.polls = 10**6
    run = start(server, tmp_path)
    deadline = time.monotonic() + 300
    while not any(batch["polls"] for batch in list(server.batches.values())):
        assert run.poll() is None and time.monotonic() < deadline, run.communicate()[0]
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    resources = resources_of(run.communicate()[0])
    # Who sends stands in line; who waits for an answer holds no one up.
    assert {"endpoint=1", "network=1"} <= resources["submit_batches"]
    assert "network=1" in resources["fetch_batches"]
    assert "endpoint=1" not in resources["fetch_batches"]
    limits = yaml.safe_load((ROOT / "profiles/default/profile.yaml").read_text())["resources"]
    assert "endpoint=1" in limits
    assert len(server.batches) == 1
    server.polls = 0
    said, _ = start(server, tmp_path).communicate(timeout=300)
    for shard, texts in SHARDS.items():
        rows = read_table(tmp_path / f"results/annotations/direction/{shard}.parquet", DIRECTION)
        found = {row["uuid"]: row["verbs"] for row in rows.to_pylist()}
        assert found == {prompt_uuid(text): text.split()[-1:] for text in texts}, said
    assert len(server.batches) == 1
    assert sorted(server.asked) == sorted(text for texts in SHARDS.values() for text in texts)
    jobs, _ = start(server, tmp_path, "-n").communicate(timeout=300)
    assert "Nothing to be done" in jobs
