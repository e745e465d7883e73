"""``make plan``: what is left to do, and what it takes by what was measured or published."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from scripts.commands import plan as command
from scripts.commands.check import read_configuration, study_of
from scripts.commands.plan import Job, download_gb, items_of, price
from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.study import Study

ONE_GPU = ROOT / "config/one_gpu.yaml"


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return study_of(read_configuration(ONE_GPU))


def job(rule, benchmark=None, **wildcards):
    return Job(rule, wildcards, benchmark)


def _dimensions(study):
    names = study.config["evaluate"]["dimensions"]
    return len([one for one in names if "unavailable" not in study.fields("dimensions", one)])


def test_items_of_a_job_follow_from_the_configuration(study):
    assert items_of(study, job("train_cosface", model="cosface_same_domain")) == 25 * 200 * 512
    both = Study.of(study.config | {"trace": study.config["trace"] | {"cosface": ["vit_base_tenth", "vit_base"]}})  # fmt: skip
    longer = job("train_cosface", model="vit_base_cosface_cross_domain_svd")
    assert items_of(both, longer) == 25 * 2000 * 512
    assert items_of(both, job("train_cosface")) == 6 * 25 * (200 + 2000) * 512  # of all models
    describing = "extract_trained_features"
    assert items_of(both, job(describing)) == 2 * items_of(study, job(describing)) > 0
    assert items_of(study, job("train_videomae")) == 2000 * 8
    assert items_of(study, job("score_videos", generator="svd")) == 1500 / 10 * _dimensions(study)
    assert items_of(study, job("extract_features", model="sscd")) == 1000 * 5 + 4000
    assert items_of(study, job("extract_reference_features", model="sscd")) == 51_000 / 2
    assert items_of(study, job("extract_features")) == 18 * (1000 * 5 + 4000)
    pieces = items_of(study, job("index_source", source="vsc22_part"))
    assert pieces == pytest.approx(3000 * 3.54 / 4)
    assert items_of(study, job("build_table5")) == 0
    paper = study_of(read_configuration())
    videos = items_of(paper, job("generate_videos", generator="svd"))
    assert videos * len(paper.shards_of("svd")) == pytest.approx(110_000)
    # A model without a generator is asked about that one alone.
    one, across = (10_000 * 5 + 40_000) * 1_010_000, (10_000 + 40_000) * 1_010_000
    assert items_of(paper, job("match_queries", model="sscd")) == one
    assert items_of(paper, job("match_queries", model="cosface_same_domain")) == one
    assert items_of(paper, job("match_queries", model="cosface_cross_domain_svd")) == across
    assert items_of(paper, job("match_queries")) == (18 + 1) * one + 5 * across
    assert items_of(paper, job("rerank_matches", model="sscd")) == 90_000 * 10


def test_a_job_without_a_wildcard_does_what_jobs_with_it_do(study):
    models = ["cosface_same_domain", *(f"cosface_cross_domain_{one}" for one in study.generators)]
    shards = [(one, len(study.shards_of(one))) for one in study.generators]
    for rule, parts in {
        "extract_trained_features": [job("", model=one) for one in models],
        "extract_trained_reference_features": [job("", model=one) for one in models],
        "train_cosface": [job("", model=one) for one in models],
        "score_videos": [job("", generator=one) for one, number in shards for _ in range(number)],
        "decode_frames": [job("", generator=one) for one, number in shards for _ in range(number)],
        "annotate_texts": [job("", shard="00000")] * study.config["curate"]["shards"],
    }.items():
        separate = sum(items_of(study, replace(one, rule=rule)) for one in parts)
        assert items_of(study, job(rule)) == pytest.approx(separate), rule


def test_what_was_measured_here_goes_before_what_was_published(study):
    sheet = yaml.safe_load((ROOT / "config/costs.yaml").read_text())
    jobs = [job("train_videomae", Path("benchmarks/train_videomae/a.jsonl"))] * 3
    cost = price(study, jobs)["detect"]
    seconds = sheet["train_videomae"]["seconds"] * 2000 * 8
    assert (cost.jobs, cost.cpu_h) == (3, 0) and cost.gpu_h == pytest.approx(3 * seconds / 3600)
    assert "estimate" in next(iter(cost.sources))
    Path("benchmarks/train_videomae").mkdir(parents=True)
    for name, took in (("b", 100.0), ("c", 200.0)):
        Path(f"benchmarks/train_videomae/{name}.jsonl").write_text(json.dumps({"s": took}))
    cost = price(study, jobs)["detect"]
    assert cost.gpu_h == pytest.approx(3 * 150 / 3600)
    assert next(iter(cost.sources)) == "train_videomae: measured here, 150 s a job"


def test_videos_take_as_long_as_their_model(study):
    paper = study_of(read_configuration())
    for name in ("svd", "cogvideox", "i2vgenxl"):
        cost = price(paper, [job("generate_videos", generator=name)])["generate"]
        seconds = paper.fields("generators", name)["seconds_per_video"]
        videos = 110_000 / len(paper.shards_of(name))
        assert cost.gpu_h == pytest.approx(videos * seconds / 3600)


def test_seconds_of_one_model_say_nothing_of_another(study):
    paper = study_of(read_configuration())
    Path("benchmarks/generate_videos/svd").mkdir(parents=True)
    Path("benchmarks/generate_videos/svd/00000.jsonl").write_text(json.dumps({"s": 7200.0}))
    for name, measured in (("svd", True), ("cogvideox", False)):
        note = Path(f"benchmarks/generate_videos/{name}/00007.jsonl")
        cost = price(paper, [job("generate_videos", note, generator=name)])["generate"]
        assert (cost.gpu_h == 2) == measured
        assert ("measured here" in "".join(cost.sources)) == measured
    Path("benchmarks/merge_subjects.jsonl").write_text(json.dumps({"s": 36.0}))
    cost = price(paper, [job(one, Path(f"benchmarks/{one}.jsonl"))
                         for one in ("merge_subjects", "read_release")])["annotate"]  # fmt: skip
    assert cost.cpu_h == pytest.approx(36 / 3600)


def test_each_figure_of_the_sheet_says_where_it_is_from():
    stages = command._stages()
    for rule, entry in yaml.safe_load((ROOT / "config/costs.yaml").read_text()).items():
        assert rule in stages, rule
        assert any(word in entry["source"] for word in ("published", "measured", "estimate")), rule
        assert entry["seconds"] > 0


def test_what_is_there_need_not_be_downloaded(study, tmp_path):
    whole = download_gb(study, ["tables"])
    assert 60 < whole < 120
    (tmp_path / "data/TIP-I2V").mkdir(parents=True)
    assert whole - download_gb(study, ["tables"]) == pytest.approx(0.08 + 6.5 + 5 * 4.7)
    part = download_gb(study, ["tables"])
    (tmp_path / "data/DISC21").mkdir()
    (tmp_path / "data/DISC21/references_0.zip").touch()
    assert part - download_gb(study, ["tables"]) == pytest.approx(8.3)


def test_the_study_on_one_gpu_takes_a_day_and_200_gb(study, monkeypatch, capsys):
    """The plan itself, from nothing: Snakemake plans with stand-ins for what is not fetched yet."""
    monkeypatch.setattr("sys.argv", ["plan", "tables", "--config", str(ONE_GPU)])
    assert command.main() == 0
    told = capsys.readouterr().out
    assert told.startswith("files from elsewhere are missing: planned as if nothing were done yet")
    [whole] = [line.split() for line in told.splitlines() if line.startswith("all ")]
    jobs, gpu_h, cpu_h, disk_gb = (float(one.replace(",", "")) for one in whole[1:])
    download = float(told.partition("download: ")[2].partition(" GB")[0])
    assert 300 < jobs < 500
    assert 10 < gpu_h <= 24
    assert gpu_h + cpu_h / 16 <= 24, "with 16 cores beside the GPU"
    assert disk_gb + download <= 200
    assert "money: at most 0.00 USD" in told
    assert "train_cosface: 0.00176 s for picture; scaled from published" in told


def test_what_cannot_be_planned_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"^Snakemake cannot plan this: .*; try snakemake -n$"):
        command.planned_jobs(["results/no/such/file"], [ONE_GPU], tmp_path)
