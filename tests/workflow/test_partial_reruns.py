"""What runs again after a change: each row of the table of partial reruns.

Jobs downstream of those named are planned as well (within one run Snakemake cannot know that an
input will come out the same); what the tests hold fast is the whole set, named job by job.
"""

import os

import pytest

from tests.workflow.conftest import Job

pytestmark = pytest.mark.demo


def of_rule(plan, rule):
    """Return the planned jobs of one rule."""
    return {job for job in plan if job.rule == rule}


def rules(plan):
    """Return the names of the planned rules."""
    return {job.rule for job in plan}


def test_nothing_changed(demo):
    answer = demo.snakemake()
    assert answer.returncode == 0
    assert "Nothing to be done" in answer.stdout


def test_all_files_touched(demo):
    for path in demo.root.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts and not path.is_symlink():
            os.utime(path)
    assert demo.plan() == set()


def test_a_colour_of_a_figure(demo):
    with demo.edited(
        "config/config.yaml",
        'figure4: {subject_colour: "#0072B2"',
        'figure4: {subject_colour: "#112233"',
    ):
        assert demo.plan() == {Job("plot_figure4")}
        assert demo.snakemake().returncode == 0
        assert demo.plan() == set()
    assert demo.snakemake().returncode == 0


def test_a_setting_of_one_dimension(demo):
    with demo.edited("config/dimensions.yaml", DIMENSION_SETTING[0], DIMENSION_SETTING[1]):
        plan = demo.plan()
    scored = of_rule(plan, "score_dimension")
    assert {job["dimension"] for job in scored} == {"dynamic_degree_embedded"}
    assert {job["generator"] for job in scored} == {
        "pika", "camera_move", "sway", "morph", "shimmer"
    }  # fmt: skip
    assert rules(plan) == {
        "score_dimension", "summarise_evaluation", "build_table7", "plot_figure6",
        "build_paper_comparison",
    }  # fmt: skip


def test_a_module_of_one_stage(demo):
    edit = ('"""', '"""Edited. ')
    with demo.edited("scripts/analyse/figure_style.py", *edit):
        plan = demo.plan()
    assert rules(plan) == {"plot_figure4", "plot_figure5", "plot_figure6", "plot_funnel"}
    with demo.edited("scripts/trace/search.py", *edit):
        plan = demo.plan()
    assert rules(plan) == {
        "match_queries", "measure_tracing", "build_table5", "build_paper_comparison"
    }  # fmt: skip


def test_a_generator_added(demo):
    """Its own videos, scores, splits, detectors and tracers; no other generator's."""
    entry = 'tilt: {label: Tilt, backend: "scripts.generate.camera_move:CameraMove", licence: Apache-2.0, embedded: true}\n'
    sheet = demo.root / "config" / "generators.yaml"
    names = "generators: [pika, camera_move, sway, morph, shimmer"
    with (
        demo.edited("config/generators.yaml", sheet.read_text(), sheet.read_text() + entry),
        demo.edited("config/demo.yaml", names, names + ", tilt"),
    ):
        plan = demo.plan()
    untouched = {
        "make_demo_channel", "make_demo_sources", "extract_messages", "collect_prompts",
        "fetch_videos", "extract_images", "embed_texts", "embed_images", "score_texts",
        "score_images", "tag_subjects", "tag_directions", "merge_subjects", "build_dataset",
        "pack_dataset", "split_tip_eval", "choose_prompts", "count_popularity",
        "plot_figure4", "plot_figure5",
    }  # fmt: skip
    assert not rules(plan) & untouched
    for rule in ("generate_videos", "score_dimension", "score_frames"):
        owners = {
            job["generator" if rule != "score_frames" else "source"] for job in of_rule(plan, rule)
        }
        assert owners == {"tilt"}, rule
    same_domain = {
        job["generator"]
        for job in of_rule(plan, "train_videomae")
        if job["setting"] == "same_domain"
    }
    assert same_domain == {"tilt"}
    assert {
        "build_table3",
        "build_table4",
        "build_table5",
        "build_table7",
        "plot_figure6",
    } <= rules(plan)


DIMENSION_SETTING = ("dynamic_degree_embedded:", "dynamic_degree_embedded:")
