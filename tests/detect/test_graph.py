"""What the rules of detect are given, in a study of two generators."""

from types import SimpleNamespace

import pytest

from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.study import Study
from scripts.detect.graph import DetectGraph, every_file

SHEETS = read_sheets(ROOT / "config")


def graph_of(*generators, detectors=("spectrum", "cnnspot"), jobs="each", missing="stop"):
    """Return the graph of a study with these generators."""
    config = {
        "source": "discord_exports",
        "curate": {"shards": 2},
        "generate": {"generators": list(generators), "shards": 1, "prompts": 4},
        "split": {
            "tip_eval": {"subjects": 1, "prompts_per_subject": 1},
            "tip_id": {"real": ["real_videos"], "text_generated": ["text_videos_zoom"]},
        },
        "detect": {
            "jobs": jobs,
            "missing_weights": missing,
            "detectors": list(detectors),
            "videomae": "videomae_tiny",
        },
    }
    return DetectGraph(Study(config, SHEETS))


@pytest.fixture
def graph():
    return graph_of("pika", "sway")


def wildcards(**values):
    return SimpleNamespace(**values)


def checkpoints(*names):
    return {f"results/detect/checkpoints/{name}.safetensors" for name in names}


def test_a_generators_videos_test_the_classifiers_called_after_it(graph):
    found = graph.tested_on(wildcards(source="sway"))
    assert set(found) == checkpoints("same_domain/sway", "cross_domain/sway")


@pytest.mark.parametrize("source", ["real_videos", "text_videos_zoom"])
def test_videos_of_the_other_classes_test_all_classifiers(graph, source):
    names = ("same_domain/pika", "cross_domain/pika", "same_domain/sway", "cross_domain/sway")
    found = graph.tested_on(wildcards(source=source))
    assert set(found) == checkpoints(*names) and len(found) == 4


def test_same_domain_learns_from_the_generator_and_cross_domain_from_all_others():
    graph = graph_of("pika", "sway", "morph")
    outside = {"real_videos", "text_videos_zoom"}
    same = graph.training_sources(wildcards(setting="same_domain", generator="sway"))
    cross = graph.training_sources(wildcards(setting="cross_domain", generator="sway"))
    assert set(same) == {"sway"} | outside
    assert set(cross) == {"pika", "morph"} | outside
    names = wildcards(setting="cross_domain", generator="sway")
    assert graph.trainings(names) == {"cross_domain-sway": list(cross)}
    files = every_file(graph.training_sources)(names)
    assert (
        "results/videos/morph/00000.tar" in files and "results/videos/pika/00001.parquet" in files
    )
    assert not any("sway" in path for path in files) and len(files) == len(set(files)) == 14


def test_one_generator_alone_has_no_cross_domain():
    graph = graph_of("sway")
    assert graph.settings == ["same_domain"]
    found = graph.tested_on(wildcards(source="real_videos"))
    assert set(found) == checkpoints("same_domain/sway")


def test_table_3_has_no_videos_that_texts_were_made_into(graph):
    assert graph.frame_scores == [
        f"results/detect/scores/{name}.parquet" for name in ("pika", "sway", "real_videos")
    ]
    assert "results/detect/classes/text_videos_zoom.parquet" in graph.class_scores
    assert graph_of("pika", detectors=()).frame_scores == []


def test_videos_lie_where_their_source_puts_them(graph):
    pika = graph.scored(wildcards(source="pika"))["pika"]
    assert pika["tars"] == ["results/videos/pika/00000.tar", "results/videos/pika/00001.tar"]
    assert pika["indexes"] == [tar.replace(".tar", ".parquet") for tar in pika["tars"]]
    real = graph.classified(wildcards(source="real_videos"))["real_videos"]
    assert real == {
        "split": "results/splits/tip_id/real_videos.parquet",
        "tars": ["results/sources/real_videos.tar"],
        "indexes": ["results/sources/real_videos.parquet"],
    }


def test_what_is_tested_of_a_generator_depends_on_no_other(graph):
    """And of videos that test all generators it depends on all."""
    tables = [f"results/splits/tip_id/{name}.parquet" for name in graph.sources]
    assert graph.splits(wildcards(source="real_videos")) == graph.splits(wildcards()) == tables
    assert set(graph.splits(wildcards(source="sway"))) == {*tables} - {tables[0]}


def test_entries_are_what_decides_and_no_label(graph):
    entries = graph.entries(wildcards(source="pika"))
    assert list(entries) == ["spectrum", "cnnspot"]
    assert entries["cnnspot"]["weights_content"] and "label" not in entries["cnnspot"]
    assert graph.videomae_entry(wildcards())["backend"] == graph.videomae_backend


def test_the_code_is_of_the_detectors_asked_for():
    """An edit of a detector that is not asked for reruns nothing."""
    assert graph_of("pika", detectors=["spectrum"]).backends == ["scripts.detect.spectrum:Spectrum"]


def test_a_job_makes_one_output_or_all_of_a_lot(graph):
    """Of small models all, whose jobs would be shorter than their imports."""
    pattern = "checkpoints/{setting}/{generator}.safetensors"
    assert graph.outputs(pattern, generator=["pika", "sway"]) == pattern
    assert graph.log("logs/train/{setting}", "generator") == "logs/train/{setting}/{generator}"
    together = graph_of("pika", "sway", "morph", jobs="together")
    found = together.outputs(pattern, generator=["pika", "sway"])
    assert found == [f"checkpoints/{{setting}}/{name}.safetensors" for name in ("pika", "sway")]
    assert together.log("logs/train/{setting}", "generator") == "logs/train/{setting}"
    trainings = together.trainings(wildcards(setting="cross_domain"))
    assert list(trainings) == [f"cross_domain-{name}" for name in ("pika", "sway", "morph")]
    assert trainings["cross_domain-sway"][:2] == ["pika", "morph"]
    assert list(together.classified(wildcards())) == together.sources
    assert list(together.scored(wildcards())) == together.scored_sources
    assert len(together.tested_on(wildcards())) == 6


def test_a_detector_without_weights_leaves_the_others_their_numbers():
    """Unless it is to stop the run before it begins, as the checked configuration does."""
    assert graph_of("pika").detectors == ["spectrum", "cnnspot"] and not graph_of("pika").missing
    graph = graph_of("pika", missing="row")
    assert graph.detectors == list(graph.entries(wildcards(source="pika"))) == ["spectrum"]
    assert "data/weights/cnnspot/blur_jpg_prob0.5.pth" in graph.missing["cnnspot"]
