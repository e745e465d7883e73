"""Every configuration that is shipped can be planned, and what is wrong with one is said."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.common.code import ROOT
from scripts.common.tables import read_table
from tests.benchmarks import graph
from tests.curate.small_export import export, generation, in_bold
from tests.sources.published import touch_sources
from tests.workflow.demo_copy import copy_workflow


def snakemake(*arguments, cwd=ROOT):
    # What is going to change in Snakemake is an error; its own folder of sources it clears up late.
    warnings = ("-W", "error", "-W", "ignore::ResourceWarning")
    command = [sys.executable, *warnings, "-m", "snakemake", "--cores", "1", *map(str, arguments)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cwd)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A working directory with an export and the outside sources, all empty."""
    touch_sources(tmp_path)
    (tmp_path / "data" / "exports").mkdir(parents=True)
    (tmp_path / "data" / "exports" / "pika.html").touch()
    return tmp_path


def settings(folder, **changes):
    path = folder / "my.yaml"
    path.write_text(yaml.safe_dump(changes))
    return path


SMALL = {"curate": {"shards": 2}, "generate": {"shards": 2}}


def test_the_papers_configuration_is_planned(folder):
    answer = snakemake("-n", "--directory", folder, "--configfile", settings(folder, **SMALL))
    assert answer.returncode == 0, answer.stdout[-2000:]
    for rule in ("extract_messages", "train_cosface", "build_table5", "plot_figure6"):
        assert f"\n{rule} " in answer.stdout
    # Of each a benchmark, which nothing runs but people, has a tiny one.
    outputs = re.findall(r"^    output: (.*)$", answer.stdout, re.M)
    forms = {Path(name).suffix for line in outputs for name in line.split(", ")}
    assert forms - {""} <= {f".{form}" for form in graph.FORMS}


def test_the_benchmark_of_the_graph_runs_to_its_end_in_small(tmp_path):
    """Each job a copy of tiny files: what Snakemake itself does, and that nothing is left to do."""
    root, place = copy_workflow(tmp_path / "workflow"), tmp_path / "run"
    graph.put_stand_ins_in_place(root)
    demo = ("--configfile", "config/demo.yaml")
    _, jobs, told = graph.call_snakemake(root, place, *demo, "--quiet", "rules")
    assert jobs > 80 and "(100%) done" in told
    assert "Nothing to be done" in graph.call_snakemake(root, place, *demo)[2]


def test_names_of_exports_may_hold_braces(folder):
    """Which Snakemake takes for a pattern."""
    exports = folder / "data" / "exports"
    (exports / "G {export} [1].html").touch()
    target = "results/messages/G-export-1.parquet"
    configured = ("--directory", folder, "--configfile", settings(folder, **SMALL))
    answer = snakemake("-n", target, *configured)
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert (planned(answer, "link_export"), planned(answer, "extract_messages")) == (1, 1)
    (exports / "G {export} [1].html").write_text(export([generation(1, in_bold("a cat"))]))
    answer = snakemake(target, *configured)
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert read_table(folder / target).num_rows == 1
    answer = snakemake("-n", "results/prompts/00000.parquet", *configured)
    assert planned(answer, "extract_messages") == 1, "of the other export alone"


def test_the_demo_is_planned_from_nothing(tmp_path):
    answer = snakemake("-n", "--profile", "profiles/demo", "--directory", tmp_path)
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert "make_demo_channel" in answer.stdout


def planned(answer, rule):
    """Return how many jobs of a rule a plan has."""
    found = re.search(rf"^{rule} +(\d+)$", answer.stdout, re.M)
    return int(found[1]) if found else 0


def test_tracers_describe_references_in_shards_and_all_queries_in_one_job(folder):
    trace = {"reference_shards": 3, "reranker": "copynce_matcher", "jobs": "each"}
    changes = SMALL | {"trace": trace}
    target = "results/tables/table5.csv"
    answer = snakemake(
        "-n", target, "--directory", folder, "--configfile", settings(folder, **changes)
    )
    assert answer.returncode == 0, answer.stdout[-2000:]
    generators = len(
        yaml.safe_load((ROOT / "config/config.yaml").read_text())["generate"]["generators"]
    )
    public = 18  # models whose weights can be had
    assert planned(answer, "extract_features") == public
    assert planned(answer, "extract_reference_features") == 3 * public
    assert planned(answer, "extract_trained_features") == 1  # a picture is read once for all
    assert planned(answer, "extract_trained_reference_features") == 3
    assert planned(answer, "match_queries") == public + 1 + generators
    assert planned(answer, "rerank_matches") == public + 1 + generators
    assert planned(answer, "check_splits") == 1
    del changes["trace"]["jobs"], changes["trace"]["reranker"]  # as in the paper's configuration
    configured = ("--directory", folder, "--configfile", settings(folder, **changes))
    answer = snakemake("-n", target, *configured)
    assert planned(answer, "extract_features") == 1
    assert planned(answer, "extract_reference_features") == 3
    assert planned(answer, "rerank_matches") == 0
    assert planned(answer, "match_queries") == public + 1 + generators
    assert planned(answer, "train_cosface") == 1 + generators


@pytest.mark.parametrize(
    "target",
    [
        "results/detect/checkpoints/cross_domain/pika.safetensors",
        "results/trace/checkpoints/cosface_same_domain.safetensors",
        "results/tables/table4.csv",
        "results/tables/table5.csv",
    ],
)
def test_nothing_is_trained_or_measured_before_the_splits_are_checked(folder, target):
    configured = ("--directory", folder, "--configfile", settings(folder, **SMALL))
    answer = snakemake("-n", target, *configured)
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert planned(answer, "check_splits") == 1


def test_the_bias_ledger_is_planned_whole(folder):
    """Of two generators, two settings of Table 4 and five sources; camera moves have two sources."""
    changes = {"curate": {"shards": 1}, "generate": {"generators": ["pika", "svd"], "shards": 1}}
    changes["split"] = {"tip_id": {"text_generated": ["vidprom_pika", "vidprom_modelscope"]}}
    changes["detect"] = {"detectors": ["spectrum"]}
    targets = ("results/tables/bias_ledger.csv", "results/figures/bias_ledger.pdf")
    configured = ("--directory", folder, "--configfile", settings(folder, **changes))
    answer = snakemake("-n", *targets, *configured)
    assert answer.returncode == 0, answer.stdout[-2000:]
    jobs = {
        "make_controls": 5 * 5 + 2,
        "describe_formats": 5 * 5,
        "score_controls": 5 * 3 + 2,
        "train_controls": 3 * 2 * 2,
        "classify_controls": 5 * 5 + 2,
        "measure_bias": 1, "build_bias_ledger": 1, "plot_bias_ledger": 1, "fit_detectors": 0,
    }  # fmt: skip
    assert {rule: planned(answer, rule) for rule in jobs} == jobs


def test_scores_are_normalised_if_asked_to(folder):
    changes = SMALL | {"trace": {"score_normalisation": {"weight": 1}}}
    target = "results/trace/matches/sscd.parquet"
    answer = snakemake(
        "-n", target, "--directory", folder, "--configfile", settings(folder, **changes)
    )
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert "results/trace/features/sscd/background/00000.parquet" in answer.stdout


def test_one_generator_has_no_other_domain(folder):
    changes = SMALL | {"generate": {"generators": ["pika"], "shards": 2}}
    target = "results/tables/table5.csv"
    answer = snakemake(
        "-n", target, "--directory", folder, "--configfile", settings(folder, **changes)
    )
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert planned(answer, "train_cosface") == 1
    assert "cosface_cross_domain" not in answer.stdout


def test_a_mistyped_key_is_named_with_the_nearest_right_one(tmp_path):
    answer = snakemake("-n", "--configfile", settings(tmp_path, sede=1))
    assert answer.returncode != 0
    assert "there is no key 'sede'; did you mean 'seed'?" in answer.stdout
    assert "Traceback" not in answer.stdout


def test_an_empty_folder_of_exports_is_named(tmp_path):
    answer = snakemake("-n", "--directory", tmp_path, "results/prompts/00000.parquet")
    assert answer.returncode != 0
    assert "the folder data/exports holds no .html file" in answer.stdout


def test_nothing_starts_without_the_weights_that_it_needs(folder):
    target = "results/annotations/text_nsfw/00000.parquet"
    answer = snakemake(target, "--directory", folder, "--configfile", settings(folder, **SMALL))
    assert answer.returncode != 0
    assert "Nothing was run, for this is missing" in answer.stdout
    assert "hf download" in answer.stdout
    assert not (folder / "results" / "messages").exists()
    # The key of the text embeddings is missing as well, but this target does not need it.
    assert "OPENAI_API_KEY" not in answer.stdout


def test_image_prompts_come_from_scraped_videos_also_where_these_are_not_compared(folder):
    path = settings(folder, curate={"shards": 2}, generate={"generators": ["svd", "i2vgenxl"]})
    target = "results/images/00001.tar"
    answer = snakemake("-n", target, "--directory", folder, "--configfile", path)
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert "output: results/videos/pika/00001.tar" in answer.stdout
    assert "downloads=1" in answer.stdout
