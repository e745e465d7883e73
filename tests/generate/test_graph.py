"""What the rules of generate are given."""

from types import SimpleNamespace

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.study import Study
from scripts.generate.graph import GenerateGraph

CONFIG = {
    "source": "discord_exports",
    "curate": {"shards": 4},
    "generate": {"generators": ["pika", "sway", "svd"], "shards": 6},
}
GRAPH = GenerateGraph(Study(CONFIG, read_sheets(ROOT / "config")))


def test_scraped_videos_are_not_made():
    assert len(GRAPH.targets) == 2 * 2 * 6
    assert "results/videos/svd/00005.parquet" in GRAPH.targets
    assert not any("/pika/" in target for target in GRAPH.targets)


def test_a_shard_of_videos_needs_the_images_that_may_be_its_prompts():
    """A UUID that is 5 modulo 6 is odd, and so 1 or 3 modulo 4."""
    images = GRAPH.images(SimpleNamespace(shard="00005", generator="sway"))
    assert images == {
        "images": ["results/images/00001.tar", "results/images/00003.tar"],
        "image_indexes": ["results/images/00001.parquet", "results/images/00003.parquet"],
    }


def test_each_generator_has_its_own_code_entry_and_environment():
    sway, svd = (SimpleNamespace(generator=name, shard="00000") for name in ("sway", "svd"))
    assert GRAPH.code(sway) != GRAPH.code(svd)
    assert GRAPH.entry(svd)["weights"]["hub"] and "licence" not in GRAPH.entry(svd)
    assert GRAPH.environment(sway) == "../envs/video.yaml"
    assert GRAPH.environment(svd) != GRAPH.environment(sway)
