"""A prompt on the removal list disappears everywhere, and nothing else is made again."""

import subprocess
import sys
from collections import Counter

import pytest

from scripts.common.shards import Shard
from scripts.common.tables import read_table
from tests.workflow.contents import files_with

pytestmark = pytest.mark.demo

AGAIN = {f"plot_figure{number}" for number in (1, 2, 3, 7, 8, 10, 11)}
AGAIN |= {"project_prompts", "plot_funnel", "account", "account_stage", "build_gallery"}
"""What shows single prompts or counts them."""


def test_a_removed_prompt_is_nowhere(demo, tmp_path):
    by_uuid, by_user = chosen_victims(demo)
    listed = tmp_path / "removals.txt"
    listed.write_text(f"{by_uuid['uuid']}\n{by_user['user_id']}  # asked by mail\n")
    victims = [by_uuid, by_user]
    needles = {row[key] for row in victims for key in ("uuid", "prompt")}
    before = files_with(demo.results, needles)
    assert all(len(before[needle]) > 1 for needle in needles)
    bystanders = pictures_of_others(demo, victims)
    command = [sys.executable, "-m", "scripts.commands.removal", "--directory", "demo"]
    command += ["--list", str(listed)]
    answer = subprocess.run(command, cwd=demo.root, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    # A removal keeps dates, and other tests touched all files in no order: put them in order.
    assert demo.snakemake("--touch").returncode == 0
    assert {job.rule for job in demo.plan()} == AGAIN
    assert demo.snakemake("--quiet", "all").returncode == 0
    left = files_with(demo.results, needles)
    assert {place.partition("/")[0] for places in left.values() for place in places} <= {"sources"}
    assert pictures_of_others(demo, victims) == bystanders
    assert demo.plan() == set()


def chosen_victims(demo):
    """Return a prompt with videos of all generators, and one of a user with a single prompt."""
    rows = [
        row
        for path in sorted((demo.results / "prompts").glob("*.parquet"))
        for row in read_table(path).to_pylist()
    ]
    shown = set(read_table(demo.results / "chosen_prompts.parquet")["uuid"].to_pylist())
    prompts_of = Counter(row["user_id"] for row in rows)
    rows = [row for row in rows if len(row["prompt"]) > 20]
    by_uuid = next(row for row in rows if row["uuid"] in shown)
    by_user = next(row for row in rows if prompts_of[row["user_id"]] == 1 and row != by_uuid)
    return by_uuid, by_user


def pictures_of_others(demo, victims):
    """Return the checksum of every video and picture that nobody asked to remove, read anew."""
    gone = {row["uuid"] for row in victims}
    found = {}
    for tar in [*demo.results.glob("videos/*/*.tar"), *demo.results.glob("images/*.tar")]:
        shard = Shard(tar, tar.with_suffix(".parquet"))
        for uuid in shard.uuids:
            if uuid not in gone:
                found[str(tar), uuid] = len(shard.read(uuid))
    return found
