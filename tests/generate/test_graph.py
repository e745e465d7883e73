"""What the rules of generate are given."""

import math
from types import SimpleNamespace

import pytest

from scripts.commands.check import read_configuration
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.study import Study
from scripts.generate.graph import GenerateGraph

CONFIG = {
    "source": "discord_exports",
    "curate": {"shards": 4},
    "generate": {"generators": ["pika", "sway", "svd", "cogvideox"], "shards": 6, "prompts": 4000,
                 "gpu": 1},
    "split": {"tip_eval": {"subjects": 10, "prompts_per_subject": 10}},
}  # fmt: skip
SHEETS = read_sheets(ROOT / "config")
GRAPH = GenerateGraph(Study(CONFIG, SHEETS))


@pytest.fixture(autouse=True)
def nothing_was_measured_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def graph_of(**changes):
    return GenerateGraph(Study(CONFIG | {"generate": CONFIG["generate"] | changes}, SHEETS))


def test_scraped_videos_are_not_made():
    assert len(GRAPH.targets) == 2 * (6 + 6 + 12)
    assert "results/videos/svd/00005.parquet" in GRAPH.targets
    assert "results/videos/cogvideox/00011.parquet" in GRAPH.targets, "twice as many: it is slow"
    assert not any("/pika/" in target for target in GRAPH.targets)


def test_run_time_shards_and_memory_of_every_entry_follow_from_its_seconds_and_weights():
    names = [name for name, fields in SHEETS["generators"].items() if "backend" in fields]
    graph = GenerateGraph(Study(read_configuration() | {"generate": read_configuration()["generate"]
                                                        | {"generators": names}}, SHEETS))  # fmt: skip
    for name in names:
        fields, shards = SHEETS["generators"][name], len(graph.study.shards_of(name))
        minutes = 1.1 * fields["seconds_per_video"] * 110_000 / 60
        assert shards == 128 * max(1, math.ceil(minutes / 128 / 2850)), name
        assert graph.runtime_min(of(name)) == 30 + math.ceil(minutes / shards) <= 2880
        assert fields.get("embedded") or graph.memory_mb(of(name)) == 4000 + 2000 * math.ceil(
            fields["weights_gb"]
        )
        assert fields.get("embedded") or fields["seconds_source"]


def test_what_nobody_timed_takes_as_long_as_costs_say():
    sheets = SHEETS | {"generators": SHEETS["generators"] | {"mine": {"label": "Mine"}}}
    graph = GenerateGraph(Study(CONFIG | {"generate": CONFIG["generate"] | {"generators": ["mine"]}},
                                sheets))  # fmt: skip
    assert graph.runtime_min(of("mine")) == 30 + math.ceil(1.1 * 135 * 4100 / 6 / 60)


def test_fast_is_a_setting_of_entries_that_have_a_cache_and_tables_say_so():
    fast = graph_of(speed="fast")
    cache = SHEETS["generators"]["cogvideox"]["fast"]
    assert fast.entry(of("cogvideox"))["settings"]["cache"] == cache
    assert "cache" not in GRAPH.entry(of("cogvideox"))["settings"]
    assert fast.entry(of("svd")) == GRAPH.entry(of("svd")), "no cache of diffusers fits its UNet"
    labels = [fast.study.label("generators", name) for name in ("cogvideox", "svd", "pika")]
    assert labels == ["CogVideoX-5B (fast)", "SVD", "Pika"]
    assert GRAPH.study.label("generators", "cogvideox") == "CogVideoX-5B"


def test_a_shard_of_videos_needs_the_images_that_may_be_its_prompts():
    """A UUID that is 5 modulo 6 is odd, and so 1 or 3 modulo 4."""
    images = GRAPH.study.images_of(SimpleNamespace(shard="00005", generator="sway"))
    assert images == {
        "images": ["results/images/00001.tar", "results/images/00003.tar"],
        "image_indexes": ["results/images/00001.parquet", "results/images/00003.parquet"],
    }


def test_no_job_of_the_papers_generators_takes_more_than_two_days():
    """Which is what clusters allow, and with 100 shards of all, CogVideoX took 89 hours."""
    graph = GenerateGraph(Study(read_configuration(), SHEETS))
    runtimes = {name: graph.runtime_min(of(name)) for name in graph.study.generated}
    assert set(runtimes) == {"svd", "opensora", "i2vgenxl", "cogvideox"}
    assert all(1000 < minutes <= 2880 for minutes in runtimes.values())
    # 110,000 videos of 294 s in 256 shards, a tenth more, and half an hour to begin with.
    assert runtimes["cogvideox"] == 30 + math.ceil(1.1 * 294 * 110_000 / 256 / 60)
    memory = {name: graph.memory_mb(of(name)) for name in runtimes}
    assert memory == {"svd": 14_000, "opensora": 52_000, "i2vgenxl": 14_000, "cogvideox": 46_000}
    assert graph_of(gpu=0).memory_mb(of("sway")) == 4000


def of(generator):
    return SimpleNamespace(generator=generator, shard="00000")


def test_each_generator_has_its_own_code_entry_and_environment():
    sway, svd = (SimpleNamespace(generator=name, shard="00000") for name in ("sway", "svd"))
    assert GRAPH.code(sway) != GRAPH.code(svd)
    assert GRAPH.entry(svd)["weights"]["hub"] and "licence" not in GRAPH.entry(svd)
    assert GRAPH.environment(sway) == "../envs/video.yaml"
    assert GRAPH.environment(svd) != GRAPH.environment(sway)
