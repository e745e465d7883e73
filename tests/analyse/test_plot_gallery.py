import numpy as np
import pytest
from PIL import Image

from scripts.analyse.plot_gallery import choose_prompts, middle_square, plot_gallery, strip
from scripts.common.identity import prompt_uuid
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.shards import ShardItem, Shards, write_shard
from scripts.common.tables import write_table
from scripts.common.video import encode_video, probe_video

PROMPTS = {"a cat walks": "Cat", "a cat sleeps": "Cat", "a dog runs": "Dog", "no video": "Owl"}


@pytest.fixture
def made(tmp_path):
    rows = [
        {"uuid": prompt_uuid(prompt), "prompt": prompt, "subject": subject}
        for prompt, subject in PROMPTS.items()
    ]
    write_table(rows, tmp_path / "prompts.parquet", TIP_EVAL)
    frames = np.zeros((5, 32, 64, 3), np.uint8)
    frames[0], frames[2], frames[4] = 40, 120, 220
    data = encode_video(frames, 8, crf=5)
    videos = {}
    for name in ("one", "two"):
        items = [
            ShardItem(row["uuid"], data, probe_video(data))
            if row["prompt"] != "no video" or name == "one"
            else ShardItem(row["uuid"], reason="generation_failed")
            for row in rows
        ]
        tar, index = tmp_path / f"{name}.tar", tmp_path / f"{name}.parquet"
        write_shard(tar, index, items, "mp4")
        videos[name] = Shards([tar], [index])
    return tmp_path, videos, data


def test_shown_are_prompts_of_different_subjects_that_every_generator_has(made):
    folder, videos, _ = made
    chosen = choose_prompts(folder / "prompts.parquet", videos, number=3, seed=1)
    assert {row["subject"] for row in chosen} == {"Cat", "Dog"} and len(chosen) == 2


def test_a_strip_shows_the_first_middle_and_last_frame(made):
    _, _, data = made
    picture = strip(data)
    middles = [int(picture[72, x].mean()) for x in (72, 72 + 147, 72 + 294)]
    assert picture.shape == (144, 438, 3)
    assert np.allclose(middles, [40, 120, 220], atol=12)


def test_the_middle_square_is_taken():
    frame = np.zeros((10, 30, 3), np.uint8)
    frame[:, 10:20] = 255
    assert middle_square(frame).min() == 255


def test_the_gallery_is_drawn_with_the_same_bytes(made):
    folder, videos, _ = made
    for name in ("a", "b"):
        counts = plot_gallery(
            folder / "prompts.parquet", videos, [folder / f"{name}.png"],
            labels=["One", "Two"], style={"prompts": 2, "width_in": 5.0}, banner="made up", seed=1,
        )  # fmt: skip
    assert counts.sentence() == "read 4 = kept 2 + rejected 2 (not_shown 2)"
    assert (folder / "a.png").read_bytes() == (folder / "b.png").read_bytes()
    assert Image.open(folder / "a.png").width > 500
