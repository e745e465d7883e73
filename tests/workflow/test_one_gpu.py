"""The study on one GPU, run in small: made-up files in the published layouts, and tiny weights."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from scripts.common.code import ROOT
from scripts.common.identity import item_uuid
from tests.curate.release.small_release import picture as prompt_picture
from tests.curate.release.small_release import prompt_id, rows_of, write_rows, write_tar
from tests.sources.published import jpeg, pack_folder, pack_tar, pack_zip, video

PROMPTS = range(24)
GENERATORS = {"svd": "svd"}
TINY = {
    "curate": {"shards": 1},
    "annotate": {"gpu": 0, "annotators": {
        "text_embedding": "all_minilm_l6_v2", "image_embedding": "efficientnet_lite0",
        "text_nsfw": "profanity_check", "image_nsfw": "opennsfw", "subject": "spacy_subject"}},
    "generate": {"gpu": 0, "shards": 1, "prompts": 20, "generators": [*GENERATORS]},
    "split": {"tip_eval": {"subjects": 2},
              "tip_id": {"text_generated": ["vidprom_pika_part"], "test_share": 0.3},
              "tip_trace": {"query_prompts": 5, "frames_per_video": 3}},
    "detect": {"gpu": 0, "training_gpu": 0, "detectors": ["spectrum"], "videomae": "videomae_tiny"},
    "trace": {"gpu": 0, "training_gpu": 0, "tracers": ["perceptual_hash"], "cosface": ["vit_tiny"]},
}  # fmt: skip


def clip(number, seed, frames=24, size=(64, 64)):
    """Return a video that no other one equals: sources have sizes of their own."""
    return video(frames, size=size, value=10 * number + seed)


@pytest.fixture
def place(tmp_path):
    """The released Eval, and parts of the sources as 'make fetch' leaves them: tars cut off."""
    release = tmp_path / "data/TIP-I2V"
    write_rows(release / "data/Eval-00000-of-00001.parquet", rows_of(PROMPTS))
    write_tar(release / "eval_image_prompt_tar/eval_image_prompt.tar",
              {f"{prompt_id(one)}.png": prompt_picture(one) for one in PROMPTS})  # fmt: skip
    for seed, name in enumerate(GENERATORS.values()):
        write_tar(release / f"eval_videos_tar/{name}_videos_eval.tar",
                  {f"{name}_{prompt_id(one)}.mp4": clip(one, seed) for one in PROMPTS})  # fmt: skip
    data = tmp_path / "data"
    refs = {f"dataset_train/refs/R1{one:05d}.mp4": clip(one, 7, 60, (48, 64)) for one in range(6)}
    pack_folder(
        data / "VSC22", refs | {"dataset_test/queries/Q300001.mp4": clip(9, 7, 10, (48, 64))}
    )
    texts = {
        f"pika_videos/pika-{item_uuid('text', str(one))}.mp4": clip(one, 0, 24, (64, 48))
        for one in range(12)
    }
    tar = pack_tar(data / "VidProM/pika_videos/pika_videos_1.tar", texts)
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size * 8 // 10])
    pack_zip(data / "DISC21/references_0.zip",
             {f"images/references/R{one:06d}.jpg": jpeg(5 * one, (64, 48)) for one in range(20)})  # fmt: skip
    some = {f"validation/{one:016x}.jpg": jpeg(3 * one + 1, (48, 64)) for one in range(9)}
    packed = pack_tar(data / "OpenImages/validation.tar.gz", some, "w:gz")
    packed.write_bytes(packed.read_bytes()[:-40])
    return tmp_path


def snakemake(place, *arguments):
    settings = place / "tiny.yaml"
    settings.write_text(yaml.safe_dump(TINY))
    command = [sys.executable, "-m", "snakemake", *arguments, "--directory", str(place), "--cores", "2",
               "--configfile", "config/one_gpu.yaml", str(settings)]  # fmt: skip
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def test_the_study_on_one_gpu_runs_from_published_files(place):
    tables = [f"results/tables/table{number}.csv" for number in (3, 4, 5)]
    answer = snakemake(place, *tables)
    assert answer.returncode == 0, answer.stdout[-5000:]
    for table in tables:
        assert "svd" in pd.read_csv(place / table).columns, table
    splits = place / "results/splits"
    real = pd.read_parquet(splits / "tip_id/vsc22_part.parquet")
    assert len(real) == 12 and real["group"].nunique() == 6, "two pieces of 3 s of each of 7.5 s"
    assert real.groupby("group")["split"].nunique().eq(1).all()
    text = pd.read_parquet(splits / "tip_id/vidprom_pika_part.parquet")
    assert 6 <= len(text) < 12 and set(text["tar"]) == {
        "data/VidProM/pika_videos/pika_videos_1.tar"
    }
    generated = pd.read_parquet(splits / "tip_id/svd.parquet")
    assert len(generated) == 20, "the prompts are drawn from Eval"
    searched = pd.read_parquet(splits / "tip_trace/references.parquet")
    assert searched["role"].value_counts().to_dict() == {"reference": 20, "source_image": 5}
    assert len(pd.read_parquet(splits / "tip_trace/distractors.parquet")) >= 7
    evaluated = pd.read_parquet(splits / "tip_eval/prompts.parquet")
    assert evaluated["subject"].nunique() == 2
    leakage = pd.read_csv(splits / "leakage.csv")
    assert (leakage["violations"] == 0).all() and (leakage["checked"] > 0).all()
    again = snakemake(place, "-n", *tables)
    assert "Nothing to be done" in again.stdout
    assert Path(place, "results/sources/disc21_part/00000.tar").stat().st_size == 10_240, "in place"
