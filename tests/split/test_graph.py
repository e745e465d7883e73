"""Which sources TIP-ID has, and where TIP-Trace's files lie."""

import pytest
import yaml

from scripts.common.code import ROOT
from scripts.common.study import Study
from scripts.split.graph import SplitGraph


def graph():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config["generate"] |= {"generators": ["pika", "svd"], "shards": 3, "prompts": 1000}
    config["split"]["tip_eval"]["subjects"] = 10
    config["curate"]["shards"] = 2
    return SplitGraph(Study.of(config))


class Wildcards(dict):
    __getattr__ = dict.__getitem__


def source(name):
    return Wildcards(source=name)


def test_every_source_has_its_class():
    assert graph().labels == {
        "pika": "image_generated",
        "svd": "image_generated",
        "vsc22": "real",
        "vidprom_pika": "text_generated",
        "vidprom_videocraft2": "text_generated",
        "vidprom_text2video_zero": "text_generated",
        "vidprom_modelscope": "text_generated",
    }


def test_indexes_lie_beside_the_tars_of_their_source():
    split = graph()
    for name in split.labels:
        [lot] = split.tip_id_lots.arguments(source(name))
        tars, indexes = lot["tars"], lot["indexes"]
        assert len(tars) == len(indexes) == {"pika": 2, "svd": 3, "vsc22": 64}.get(name, 1)
        if name in split.study.generators:
            assert all(f"/videos/{name}/" in path for path in [*tars, *indexes])
        assert split.sources[name]["indexes"] == indexes
        assert lot["label"] == split.labels[name] and indexes == [
            path for path in split.tip_id_lots.reads(source(name)) if "chosen" not in path
        ]
    [lot] = split.frame_lots.arguments(Wildcards(generator="svd"))
    assert (lot["indexes"], lot["tars"]) == (split.indexes("svd"), split.tars("svd"))


def test_only_a_generators_split_follows_from_the_chosen_prompts():
    split = graph()
    assert "results/chosen_prompts.parquet" in split.tip_id_lots.reads(source("svd"))
    assert "results/chosen_prompts.parquet" not in split.tip_id_lots.reads(source("vsc22"))


def test_the_check_against_leakage_is_among_the_targets_beside_all_that_it_checks():
    split = graph()
    checked = {*split.tip_id, *split.frames, *split.image_lists()}
    assert checked | {"results/splits/leakage.csv"} <= set(split.targets)
    assert len(checked) == 7 + 2 + 3


def test_the_configuration_is_the_papers():
    """Section 5.2 (10,000 prompts of 1,000 subjects) and Supplement 13 (9:1)."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())["split"]
    assert config["tip_eval"]["subjects"] == 1_000
    assert config["tip_eval"]["subjects"] * config["tip_eval"]["prompts_per_subject"] == 10_000
    share = config["tip_id"]["test_share"]
    assert (1 - share) / share == pytest.approx(9)
    assert config["tip_id"]["real"] == ["vsc22"]
    assert len(config["tip_id"]["text_generated"]) == 4  # 100,000 videos of each: 400,000
