"""What the rules of analyse ask: files, targets, and what tables say of an entry."""

from types import SimpleNamespace

import pytest

from scripts.analyse.closing import ACCOUNTED
from scripts.analyse.declaration import files_of
from scripts.analyse.graph import AnalyseGraph
from scripts.analyse.maps import MapsGraph
from scripts.annotate.graph import AnnotateGraph
from scripts.commands.check import read_configuration
from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.study import Study
from scripts.detect.bias_graph import BiasGraph
from scripts.detect.graph import DetectGraph
from scripts.evaluate.graph import EvaluateGraph
from scripts.split.graph import SplitGraph
from scripts.trace.graph import TraceGraph

CAMERA = [f"camera_{part}" for part in ("pan", "tilt", "zoom", "rotation", "strength")]


def graph_of(*overrides, **changes):
    config = read_configuration(*(ROOT / "config" / name for name in overrides))
    study = Study.of(config | changes)
    annotate = AnnotateGraph(study)
    return AnalyseGraph(
        study,
        annotate,
        EvaluateGraph(study),
        DetectGraph(study),
        curate_steps=list,
        trace=TraceGraph(study, SplitGraph(study)),
        maps=MapsGraph(study, annotate),
    )


@pytest.mark.parametrize("stage", ACCOUNTED[1:])
def test_the_account_of_a_stage_reads_what_its_steps_name(stage):
    graph = graph_of("demo.yaml")
    wildcards = SimpleNamespace(stage=stage)
    steps = graph.steps(wildcards)
    assert graph.stages.inputs(wildcards)["files"] == files_of(steps)
    assert len({(step["rule"], step["part"]) for step in steps}) == len(steps)


def test_the_account_follows_the_stages_that_have_rules():
    assert graph_of("demo.yaml").accounted == list(ACCOUNTED)
    later = graph_of("demo.yaml", start="detect")
    assert (
        later.accounted == ["detect", "trace"] == [lot["stage"] for lot in later.stages.wildcards]
    )
    assert len(later.accounts) == 2


def test_a_generator_is_accounted_for_wherever_it_goes():
    """All stages after annotate, so that a new one is followed without a word more."""
    graph = graph_of("demo.yaml")
    for stage in ACCOUNTED[2:]:
        steps = graph.steps(SimpleNamespace(stage=stage))
        parts = {name for step in steps for name in step["part"].split()}
        wanted = set(graph.study.generated if stage == "generate" else graph.study.generators)
        assert wanted <= parts
        assert ("pika" in parts) == (stage != "generate")


def test_the_papers_table_7_has_ten_rows_all_of_which_are_measured():
    graph = graph_of()
    assert len(graph.dimensions) == len(graph.evaluate.measured) == 10
    steps = graph.steps(SimpleNamespace(stage="evaluate"))
    assert len(steps) == 10 * len(graph.study.generators)
    assert graph.evaluate.entries().keys() == {*graph.evaluate.dimensions, *CAMERA}
    assert list(graph.evaluate.camera.values()) == CAMERA
    assert "ASL" in graph.absent_rows and "SSCD" not in graph.absent_rows


def test_what_has_no_backend_is_a_row_and_no_column_of_scores():
    graph = graph_of()
    sheet = graph.study.sheets["dimensions"]
    sheet["dover"] = {"label": "DOVER", "paper": "DOVER", "unavailable": "no network"}
    assert len(graph.dimensions) == 10 and "dover" not in graph.evaluate.entries()
    assert not any(
        "dover" in step["part"] for step in graph.steps(SimpleNamespace(stage="evaluate"))
    )
    assert graph.absent_rows["DOVER"] == "no network"


def test_the_camera_wants_every_component():
    evaluate = read_configuration()["evaluate"]
    graph = graph_of(
        evaluate=evaluate | {"camera": [*CAMERA[:1], "camera_pan_embedded", *CAMERA[2:]]}
    )
    with pytest.raises(UserError, match=r"settings\.component is 'tilt'"):
        _ = graph.evaluate.camera


def test_what_has_no_place_in_the_paper_has_none_in_the_comparison():
    graph = graph_of("demo.yaml")
    assert graph.paper_columns == {"pika": "Pika"}
    assert graph.paper_rows["motion_smoothness_embedded"] == "Motion Smoothness"
    assert "" not in graph.paper_rows.values() and not graph.is_comparable


def test_targets_are_one_form_of_each_and_all_forms_are_published():
    graph = graph_of("demo.yaml")
    assert set(graph.targets) < set(graph.published)
    assert "results/tables/table7.html" in graph.published
    assert len(graph.targets) == 12 + 19
    assert len(graph.published) == 6 * 4 + 4 * 3 + 2 + 19 * 2


def test_the_bias_ledger_is_a_table_and_a_figure_more_where_it_is_switched_on():
    before = graph_of("demo.yaml")
    detect = before.study.config["detect"]
    switched = detect | {"bias_ledger": detect["bias_ledger"] | {"enabled": True}}
    more = set(graph_of("demo.yaml", detect=switched).targets) - set(before.targets)
    assert more == {"results/tables/bias_ledger.csv", "results/figures/bias_ledger.png"}


def test_a_control_that_is_null_is_left_out():
    """What a file of one's own says is merged with the paper's controls, which it cannot drop."""
    detect = read_configuration()["detect"]
    ledger = detect["bias_ledger"]
    ledger["controls"] |= {"no_mark": None, "camera_moves": None}
    bias = BiasGraph(graph_of(detect=detect).detect)
    assert [*bias.labels] == [*bias.controls] == ["as_is", "one_format", "compressed", "reduced"]
    assert bias.trained == ["as_is", "one_format"] and not bias.animated


def test_a_lonely_generator_has_no_training_across_domains():
    config = read_configuration(ROOT / "config/demo.yaml")
    assert len(graph_of("demo.yaml").trainings) == 2 * 6
    alone = graph_of("demo.yaml", generate=config["generate"] | {"generators": ["pika"]})
    models = ("cosface_same_domain", "latent_map_tiny_cosface_same_domain")
    assert alone.trainings == dict.fromkeys(models, "all generators")
    steps = alone.steps(SimpleNamespace(stage="detect"))
    assert not any("cross_domain" in step["part"] for step in steps)


def test_a_detector_without_weights_is_a_row_that_says_so():
    graph = graph_of()
    detect = graph.study.config["detect"] | {"missing_weights": "row"}
    graph = graph_of(detect=detect | {"detectors": ["spectrum", "cnnspot"]})
    rows = {row["entry"]: row["unavailable"] for row in graph.detectors}
    assert rows["spectrum"] == "" and "blur_jpg_prob0.5.pth" in rows["cnnspot"]
    assert "CNNSpot" in graph.absent_rows
    parts = {step["part"].split()[0] for step in graph.steps(SimpleNamespace(stage="detect"))}
    assert "spectrum" in parts and "cnnspot" not in parts


def test_maps_take_our_texts_as_they_are_embedded_where_the_same_model_did_it():
    graph = graph_of("demo.yaml")
    assert graph.maps.embedded == ["vidprom", "diffusiondb", "panda70m"]
    assert [lot["map"] for lot in graph.maps.lots.arguments(None)] == graph.maps.names
    groups = next(lot for lot in graph.maps.lots.arguments(None) if lot["map"] == "vidprom")[
        "groups"
    ]
    assert groups[0]["vectors"] == graph.annotate.vectors("text_embedding")
    paper = graph_of()  # whose texts are embedded behind an endpoint, at a price
    assert paper.maps.embedded[0] == "own"
    [shown] = paper.maps.lots.arguments({"map": "vidprom"})
    assert paper.maps.lots.reads({"map": "vidprom"}) == shown["files"]
    assert shown["files"] == [
        file for group in shown["groups"] for file in (group["prompts"], *group["vectors"])
    ]
    assert [group["vectors"] for group in shown["groups"]] == [
        ["results/embeddings/outside/own.parquet"],
        ["results/embeddings/outside/vidprom.parquet"],
    ]
    assert shown["groups"][1]["prompts"] == "results/sources/prompts_vidprom.parquet"


def test_figure_3_shows_those_data_sets_that_are_there():
    inputs, settings = graph_of().recipe("plot_figure3")
    assert inputs["points"] == [
        f"results/maps/{name}/points.parquet" for name in ("vidprom", "diffusiondb")
    ]
    assert settings["labels"] == ["TIP-I2V", "VidProM", "DiffusionDB"]
    inputs, settings = graph_of().recipe("plot_figure8")
    assert inputs["grids"] == ["results/maps/panda70m/grid.json"]
    alone, settings = graph_of("one_gpu.yaml").recipe("plot_figure3")
    assert alone["points"] == ["results/maps/text/points.parquet"]
    assert settings["labels"] == ["TIP-I2V"]


def test_cartoons_are_counted_where_a_clip_embeds_pictures():
    assert "results/extras/cartoons.csv" in graph_of().maps.extras
    assert graph_of("demo.yaml").maps.extras == [
        "results/extras/similar_prompts.parquet",
        "results/extras/prompt_filter.csv",
        "results/extras/prompt_filter.png",
    ]


def test_a_re_ranker_is_in_the_table_the_account_and_the_capsule_where_it_is_asked_for():
    trace = read_configuration(ROOT / "config/demo.yaml")["trace"]
    without, graph = (
        graph_of("demo.yaml", trace=trace | {"reranker": name})
        for name in (None, "copynce_matcher")
    )
    layout = graph.layouts["table5"]
    assert "CopyNCE's matcher" in layout["supplements"]["muAP_reranked"][0]
    assert layout["closing"][1].startswith("Scored anew: ")
    assert "muAP_reranked" not in without.layouts["table5"]["supplements"]
    assert set(graph.capsule) - set(without.capsule) == set(graph.trace.reranked) != set()
    steps = {(one["rule"], one["part"]): one for one in graph.steps(SimpleNamespace(stage="trace"))}
    step = steps["rerank_matches", "perceptual_hash sway"]
    assert [step[side]["files"] for side in ("read", "out")] == [
        [f"results/trace/{folder}/perceptual_hash.parquet"] for folder in ("matches", "reranked")
    ]
    # A model of each row, for its generators and the distractors; frames along videos have none.
    assert sum(rule == "rerank_matches" for rule, _ in steps) == (8 + 2) * 6 + 2 * 5 * 2
