"""The graph from a small copy of the released data set: what is planned, and that it runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from scripts.common.code import ROOT
from scripts.common.shards import Shards
from tests.curate.release.small_release import EVAL, SUBSET, make_release, prompt_id, video
from tests.sources.published import touch_sources

GENERATORS = ["pika", "svd", "opensora", "i2vgenxl", "cogvideox"]
MADE_ANEW = {
    "extract_messages", "collect_prompts", "fetch_videos", "extract_images", "generate_videos",
    "choose_prompts", "split_tip_eval", "annotate_pictures", "account_curate",
}  # fmt: skip
"""Rules that a release replaces."""

ANNOTATORS = {
    "text_embedding": "all_minilm_l6_v2", "image_embedding": "efficientnet_lite0",
    "text_nsfw": "profanity_check", "image_nsfw": "opennsfw", "subject": "spacy_subject",
    "direction": "spacy_direction",
}  # fmt: skip


def snakemake(folder, *arguments, **changes):
    """Run Snakemake in a folder, with the release's configuration and some changes."""
    settings = {
        "curate": {"shards": 1},
        "annotate": {"gpu": 0, "annotators": ANNOTATORS},
        "generate": {"gpu": 0, "shards": 1},
    }
    for key, value in changes.items():
        settings[key] = settings.get(key, {}) | value
    (folder / "my.yaml").write_text(yaml.safe_dump(settings))
    command = [
        sys.executable, "-m", "snakemake", "--directory", str(folder), "--configfile",
        "config/release.yaml", str(folder / "my.yaml"), "--cores", "2", *arguments,
    ]  # fmt: skip
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def planned(folder, *targets, **changes):
    """Return how many jobs of each rule are planned."""
    answer = snakemake(folder, "-n", *targets, **changes)
    assert answer.returncode == 0, answer.stdout[-2000:]
    table = answer.stdout.partition("Job stats:")[2].partition("total")[0]
    return {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working directory with the small copy, and empty outside sources."""
    folder = tmp_path_factory.mktemp("run")
    make_release(folder / "data/TIP-I2V")
    touch_sources(folder)
    return folder


def test_table_5_is_planned_from_the_authors_videos(folder):
    jobs = planned(folder, "results/tables/table5.csv")
    assert not set(jobs) & (MADE_ANEW | {"merge_subjects", "build_dataset", "read_embeddings"})
    assert jobs["index_videos"] == len(GENERATORS) and jobs["read_release"] == 1
    assert jobs["list_members"] == 3 + 12  # tars of pictures and of videos
    assert jobs["train_cosface"] == 1 + len(GENERATORS)


def test_the_data_set_is_planned_from_what_was_released(folder):
    jobs = planned(folder, "results/dataset.parquet", release={"full": True})
    assert not set(jobs) & MADE_ANEW
    assert jobs["annotate_texts"] == 1  # this version of the release has no directions
    assert jobs["read_embeddings"] == 2 and jobs["read_annotations"] == 1
    assert jobs["list_members"] == 4 and jobs["unpack_pictures"] == 4


def test_annotations_that_are_not_taken_are_made(folder):
    jobs = planned(folder, "results/dataset.parquet", release={"annotations": ["subject"]})
    assert jobs["annotate_texts"] == jobs["annotate_pictures"] == 1
    assert jobs["read_annotations"] == 1 and "read_embeddings" not in jobs


def test_nothing_is_paid_for_what_was_released(folder, tmp_path):
    """The paper's annotators are behind an endpoint; of them only directions are not released."""
    paid = {"annotate": {"annotators": {"direction": "gpt_4o_direction"}}}
    jobs = planned(folder, "results/dataset.parquet", **paid)
    assert jobs["estimate_costs"] == jobs["submit_batches"] == jobs["fetch_batches"] == 1
    assert not set(jobs) & {"annotate_texts", "ask_embeddings", "ask_endpoint"}
    make_release(tmp_path / "data/TIP-I2V", full=False, later=True)
    jobs = planned(tmp_path, "results/dataset.parquet", **paid)
    assert not set(jobs) & {"estimate_costs", "submit_batches", "fetch_batches"}


def test_everything_is_planned(folder):
    jobs = planned(folder)
    assert jobs["account_stage"] == 7 and "account" in jobs and "plot_figure4" in jobs
    assert not set(jobs) & MADE_ANEW


@pytest.mark.parametrize(
    ("target", "changes", "sentence"),
    [
        ("results/prompts/00000.parquet", {"release": {"folder": "nowhere"}},
         "nowhere/data holds no Subset-00000-of-NNNNN.parquet; get it with: hf download"),
        ("results/videos/pika/00000.tar", {"release": {"all_pika_videos": True}},
         "holds no pika_videos_tar/pika_videos*.tar, the videos of 'pika'; get it with"),
        ("results/dataset.parquet", {"generate": {"generators": ["pika", "nothing"]}},
         "generate.generators names 'nothing'"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_before_anything_runs(folder, target, changes, sentence):
    answer = snakemake(folder, "-n", target, **changes)
    assert answer.returncode != 0
    assert sentence in answer.stdout
    assert "Traceback (most recent call last)" not in answer.stdout


def test_the_annotator_does_not_step_in_for_a_released_file_that_is_missing(tmp_path):
    release = make_release(tmp_path / "data/TIP-I2V", full=False)
    (release / "Embedding/Subset_Text_Embedding.parquet").unlink()
    answer = snakemake(tmp_path, "-n", "results/annotations/text_embedding/00000.parquet")
    assert answer.returncode != 0
    assert "Subset_Text_Embedding.parquet is missing; get it with: hf download" in answer.stdout


def test_pictures_come_from_the_tars_alone_if_so_asked(tmp_path):
    release = make_release(tmp_path / "data/TIP-I2V", full=False)
    tars = {"release": {"pictures": ["tars"]}}
    jobs = planned(tmp_path, "results/images/00000.tar", **tars)
    assert jobs["list_members"] == 3 and "unpack_pictures" not in jobs
    for tar in release.glob("*image_prompt_tar/*.tar"):
        tar.unlink()
    answer = snakemake(tmp_path, "-n", "results/images/00000.tar", **tars)
    assert answer.returncode != 0 and "holds no tar of image prompts" in answer.stdout
    jobs = planned(tmp_path, "results/images/00000.tar")
    assert jobs["unpack_pictures"] == 2 and "list_members" not in jobs


def test_the_data_set_the_splits_and_the_account_are_made(tmp_path):
    """The graph runs on the small copy: Subset and Eval, from rows to data set and splits."""
    release = make_release(tmp_path / "data/TIP-I2V", full=False, later=True)
    before = {path: path.stat().st_mtime_ns for path in release.rglob("*") if path.is_file()}
    targets = ["results/dataset.parquet", "results/splits/tip_id/cogvideox.parquet",
               "results/analysis/account/curate.parquet",
               "results/analysis/account/annotate.parquet"]  # fmt: skip
    generators = {"generators": ["pika", "cogvideox"]}
    answer = snakemake(tmp_path, "--quiet", "rules", "--", *targets, generate=generators)
    assert answer.returncode == 0, answer.stdout[-3000:]
    results = tmp_path / "results"
    dataset = pl.read_parquet(results / "dataset.parquet")
    assert dataset["UUID"].to_list() == sorted(prompt_id(number) for number in {*SUBSET, *EVAL})
    assert set(dataset["Subject"]) == {"Cat", "Dragon"}  # 'Cats' was merged
    assert set(dataset["Direction"]) == {"move, turn", ""}
    tip_eval = pl.read_parquet(results / "splits/tip_eval/prompts.parquet")
    assert set(tip_eval["uuid"]) == {prompt_id(number) for number in EVAL}
    split = pl.read_parquet(results / "splits/tip_id/cogvideox.parquet")
    assert set(split["uuid"]) == {prompt_id(number) for number in SUBSET}
    for row in split.to_dicts():  # the very bytes of the authors, where they lie
        data = (tmp_path / row["tar"]).read_bytes()[row["offset"] :][: row["size_bytes"]]
        assert data in {video(number, 4) for number in SUBSET}
    assert {Path(tar).parts[:2] for tar in split["tar"]} == {("data", "TIP-I2V")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        images = Shards(["results/images/00000.tar"], ["results/images/00000.parquet"])
        assert len(dict(images)) == 10
    assert before == {path: path.stat().st_mtime_ns for path in before}
    copied = sum(path.stat().st_size for path in results.rglob("*.tar"))
    assert copied <= 10_240 * len(list(results.rglob("*.tar")))  # tars without members
    again = snakemake(tmp_path, "-n", "--", *targets, generate=generators)
    assert "Nothing to be done" in again.stdout
