"""What runs again after a change: each row of the table of partial reruns.

Jobs downstream of those named are planned as well (within one run Snakemake cannot know that an
input will come out the same); what the tests hold fast is the whole set, named job by job.
"""

import contextlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.workflow.demo_copy import Job, Workflow

pytestmark = pytest.mark.demo

GENERATORS = {"pika", "camera_move", "sway", "morph", "shimmer"}
FROM_SCORES = {
    "summarise_evaluation", "compare_generators", "measure_camera", "score_topics", "build_table7",
    "build_leaderboard", "build_gallery", "build_camera", "build_topics", "plot_figure6", "plot_camera",
    "plot_topics",
}  # fmt: skip
"""What all scores of videos go into."""


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


def test_tars_touched_that_are_too_large_for_a_checksum(demo):
    """The index beside a tar has the checksum of each member, and speaks for both."""
    # Other tests have made some files again with the same bytes, which dates alone cannot know.
    without_checksums = ("--max-checksum-file-size", "1")
    before = demo.plan(*without_checksums)
    for path in demo.results.rglob("*.tar"):
        if "published" not in path.parts:  # a source as its publisher gives it has no index yet
            os.utime(path)
    assert demo.plan(*without_checksums) == before


def test_the_workflow_moved_with_its_results(demo, tmp_path):
    moved = Workflow(tmp_path / "elsewhere")
    shutil.copytree(demo.root, moved.root, symlinks=True)
    assert moved.plan() == set()


def test_a_colour_of_a_figure(demo):
    setting = re.search(
        r'figure4: \{subject_colour: "#\w{6}"', (demo.root / "config/config.yaml").read_text()
    )[0]
    with demo.edited("config/config.yaml", setting, setting[:-9] + '"#112233"'):
        assert demo.plan() == {Job("plot_figure4")}
    with demo.edited("config/config.yaml", 'colours: ["#000000"', 'colours: ["#112233"'):
        assert demo.plan() == {Job("plot_tracer_training")}


def test_the_words_of_a_table(demo):
    """They stand in a sheet, and are no other table's."""
    with demo.edited("config/beyond.yaml", "title: TIP-Camera", "title: Moves"):
        assert demo.plan() == {Job("build_camera")}


def test_a_setting_of_one_dimension(demo):
    with demo.edited("config/dimensions.yaml", "short_side: 48", "short_side: 40"):
        plan = demo.plan()
    assert rules(plan) == {
        "score_videos", *FROM_SCORES, "build_paper_comparison", "account_stage", "account", "plot_funnel",
    }  # fmt: skip


def test_comments_and_docstrings(demo):
    modules = [
        "scripts/common/errors.py", "scripts/common/engine.py", "scripts/common/video.py",
        "scripts/models/efficientnet.py", "scripts/evaluate/score_videos.py",
    ]  # fmt: skip
    with contextlib.ExitStack() as edits:
        for module in modules:
            edits.enter_context(demo.edited(module, '"""', '# Why.\n"""Edited. '))
        assert demo.plan() == set()


def test_a_network_or_a_procedure(demo):
    """What an edit causes by itself; what is downstream of that is planned for its sake."""
    edit = ("\n\n\n", "\n\nEDITED = 1\n\n\n")
    with demo.edited("scripts/models/efficientnet.py", *edit):
        assert demo.causes() == {Job("annotate_pictures")}
    with demo.edited("scripts/evaluate/classical_flow.py", *edit):
        assert {job.rule for job in demo.causes()} == {"score_videos"}
    with demo.edited("scripts/trace/perceptual_hash.py", *edit):
        assert demo.causes() == {
            Job("extract_features"),
            Job("extract_reference_features", (("shard", "00000"),)),
        }


def test_other_weights_at_the_same_path(demo):
    """Of a stand-in that has a file for weights: its own scores again, and nothing else."""
    target = "results/evaluation/sway/00000.parquet"
    weights = demo.root / "demo/weights.bin"
    entry = 'backend: "scripts.evaluate.frame_interpolation:MotionSmoothnessEmbedded"'
    with demo.edited("config/dimensions.yaml", entry, entry + "\n  weights: {path: weights.bin}"):
        weights.write_bytes(b"one")
        assert demo.snakemake(target).returncode == 0
        done, recalled = scored(demo)
        assert done > 0 and recalled == (dimensions(demo) - 1) * done
        assert demo.plan(target) == set()
        weights.write_bytes(b"two")
        own = Job("score_videos")
        assert demo.plan(target) == demo.causes(target) == {own}
    weights.unlink()
    assert demo.snakemake(target).returncode == 0
    assert scored(demo) == (0, done + recalled)
    assert demo.plan() == set()


def scored(demo):
    """Return how many scores the last job of evaluation made, and how many it recalled."""
    items = json.loads((demo.root / "demo/logs/score_videos.json").read_text())["items"]
    return items["done"], items["recalled"]


def dimensions(demo):
    """Return how many dimensions each video is scored in."""
    evaluate = yaml.safe_load((demo.root / "config/demo.yaml").read_text())["evaluate"]
    return len(evaluate["dimensions"]) + len(evaluate["camera"])


def test_weights_of_a_branch_that_moved(demo, tmp_path, monkeypatch):
    """The commit at which it stands decides, as the local cache knows it; nothing is run here."""
    target = "results/evaluation/sway/00000.parquet"
    cache = tmp_path / "models--me--mine"
    (cache / "refs").mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    entry = 'backend: "scripts.evaluate.frame_interpolation:MotionSmoothnessEmbedded"'
    weights = "\n  weights: {hub: me/mine, revision: main}"
    with demo.edited("config/dimensions.yaml", entry, entry + weights):
        for commit in ("a" * 40, "b" * 40):
            (cache / "snapshots" / commit).mkdir(parents=True)
            (cache / "refs/main").write_text(commit)
            assert demo.plan(target) == demo.causes(target) == {Job("score_videos")}
            assert demo.snakemake(target, "--touch").returncode == 0
            assert demo.plan(target) == set()
    assert demo.snakemake(target, "--touch").returncode == 0


def test_an_intermediate_that_others_made_is_dropped_in(demo, tmp_path):
    """Into an empty folder: what is asked for is made from it, and nothing before it is made."""

    def plan_with(target, *names):
        folder = tmp_path / Path(names[0]).stem
        for name in names:
            (folder / "results" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(demo.results / name, folder / "results" / name)
        return demo.plan(f"results/{target}", "--directory", str(folder))

    assert plan_with("tables/table5.csv", "trace/metrics.parquet") == {Job("build_table5")}
    videos = [f"videos/sway/00000.{form}" for form in ("tar", "parquet")]
    assert plan_with(videos[0], *videos) == set()


def test_a_module_of_one_stage(demo):
    edit = ("\n\n\n", "\n\nEDITED = 1\n\n\n")
    with demo.edited("scripts/analyse/figure_style.py", *edit):
        plan = demo.plan()
    assert rules(plan) == {
        *(f"plot_figure{number}" for number in range(1, 13)), "plot_funnel",
        "plot_watermark", "plot_tracer_training", "plot_detector_training", "plot_tracing_along", "plot_camera", "plot_topics",
    }  # fmt: skip
    with demo.edited("scripts/trace/search.py", *edit):
        plan = demo.plan()
    assert rules(plan) == {
        "match_queries", "rerank_matches", "measure_tracing", "build_table5", "build_paper_comparison", "build_gallery",
        "account_stage", "account", "plot_funnel", "plot_tracing_along",
    }  # fmt: skip


def test_a_generator_added(demo):
    """Its own videos, scores, splits, detectors and tracers; no other generator's."""
    entry = 'tilt: {label: Tilt, backend: "scripts.generate.camera_motion:CameraMove", licence: Apache-2.0, embedded: true, settings: {size: 256, frames: 25, fps: 8}}\n'
    sheet = demo.root / "config" / "generators.yaml"
    names = "generators: [pika, camera_move, sway, morph, shimmer"
    with (
        demo.edited("config/generators.yaml", sheet.read_text(), sheet.read_text() + entry),
        demo.edited("config/demo.yaml", names, names + ", tilt"),
    ):
        plan = demo.plan()
    assert plan == jobs_of_a_new_generator("tilt")


def jobs_of_a_new_generator(name):
    """Return its own jobs, those of trainings that see it, and of tables and accounts of all."""

    def job(rule, **wildcards):
        return Job(rule, tuple(sorted(wildcards.items())))

    own = {job("generate_videos", generator=name, shard="00000")}
    # In the demo one job splits all sources, decodes, scores, trains, describes and searches; it
    # recalls what it did. That a job of its own would be the generator's alone is held of its Lots.
    together = {
        job(rule)
        for rule in (
            "split_tip_id", "sample_trace_frames", "decode_frames", "score_videos", "score_frames",
            "classify_videos", "train_cosface", "extract_features", "extract_trained_features",
            "match_queries", "rerank_matches", "account_stage",
        )
    }  # fmt: skip
    together |= {job("train_videomae", setting=one) for one in ("same_domain", "cross_domain")}
    together |= {job("extract_trained_reference_features", shard="00000")}
    for_all = {
        job(rule)
        for rule in (
            *FROM_SCORES, "check_splits", "measure_detection", "measure_tracing",
            "build_table1", "build_table2", "build_table3", "build_table4", "build_table5",
            "build_paper_comparison", "plot_figure1", "plot_figure2", "plot_figure7", "plot_figure12", "plot_funnel",
            "plot_tracer_training", "plot_detector_training", "build_tip_id", "plot_tracing_along", "account",
            "lay_out_release", "describe_release",
        )
    }  # fmt: skip
    return own | together | for_all
