"""Figures that show prompts one by one: which are shown, what is blurred, the same bytes again."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from scripts.analyse.plot_figure1 import plot_figure1
from scripts.analyse.plot_figure2 import plot_figure2
from scripts.analyse.plot_figure10 import plot_figure10
from scripts.analyse.plot_figure12 import plot_figure12
from scripts.analyse.shown_prompts import ShownPrompts
from scripts.common.errors import UserError
from scripts.common.identity import prompt_uuid
from scripts.common.pictures import picture_properties
from scripts.common.schemas.analyse import POPULARITY
from scripts.common.schemas.annotate import DATASET, embeddings
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.shards import ShardItem, Shards, write_shard
from scripts.common.tables import read_frame, write_table
from scripts.common.video import encode_video, probe_video

PROMPTS = {"a cat walks": "Cat", "a cat sleeps": "Cat", "a dog runs": "Dog", "no video": "Owl"}
WIDTH = {"width_in": 5.0}
GENERATORS = [{"label": "One"}, {"label": "Two"}]


def write_images(folder, rows):
    """Write an image prompt of each row: a square, left half black, right half white."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = 255
    path = folder / "picture.png"
    Image.fromarray(picture).save(path)
    items = [ShardItem(row["uuid"], path.read_bytes(), picture_properties(picture)) for row in rows]
    write_shard(folder / "images.tar", folder / "images.parquet", items, "png")
    return Shards([folder / "images.tar"], [folder / "images.parquet"])


@pytest.fixture
def made(tmp_path):
    rows = [
        {"uuid": prompt_uuid(prompt), "prompt": prompt, "subject": subject}
        for prompt, subject in PROMPTS.items()
    ]
    write_table(rows, tmp_path / "prompts.parquet", TIP_EVAL)
    dataset = [
        {"UUID": row["uuid"], "Text_Prompt": row["prompt"], "Subject": row["subject"]}
        | {"Image_Prompt": "images/0.tar#a.png", "Timestamp": "2024-01-31 10:00:00"}
        | {"Text_NSFW": 0.5 if row["prompt"] == "a dog runs" else 0.1, "UserID": "u"}
        | {"Image_NSFW": "NSFW" if row["prompt"] == "a cat sleeps" else "Safe"}
        | {"Direction": "walk, run"}
        for row in rows
    ]
    write_table(dataset, tmp_path / "dataset.parquet", DATASET)
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


def choose(folder, videos, wanted=()):
    shown = ShownPrompts(folder / "dataset.parquet", blurred=True)
    among = read_frame(folder / "prompts.parquet", TIP_EVAL)
    chosen = shown.choose(wanted, among, list(videos.values()), number=3, seed=1)
    texts = {prompt_uuid(prompt): prompt for prompt in PROMPTS}
    return shown, [texts[uuid] for uuid in chosen]


def test_shown_are_prompts_of_different_subjects_that_every_generator_has(made):
    folder, videos, _ = made
    _, chosen = choose(folder, videos)
    assert {PROMPTS[prompt] for prompt in chosen} == {"Cat", "Dog"} and len(chosen) == 2


def test_the_configuration_names_prompts(made):
    folder, videos, _ = made
    _, chosen = choose(folder, videos, [prompt_uuid("a cat sleeps"), prompt_uuid("a cat walks")])
    assert chosen == ["a cat sleeps", "a cat walks"]
    for prompt in ("no video", "unknown"):
        with pytest.raises(UserError, match=rf"prompt {prompt_uuid(prompt)} is not in the data"):
            choose(folder, videos, [prompt_uuid(prompt)])


def test_a_strip_shows_the_first_middle_and_last_frame(made):
    folder, videos, _ = made
    shown = ShownPrompts(folder / "dataset.parquet", blurred=True)
    picture = shown.strip(prompt_uuid("a cat walks"), videos["one"], 3)
    middles = [int(picture[72, x].mean()) for x in (72, 72 + 147, 72 + 294)]
    assert picture.shape == (144, 438, 3)
    assert np.allclose(middles, [40, 120, 220], atol=12)


@pytest.mark.parametrize("prompt", list(PROMPTS)[:3])
@pytest.mark.parametrize("blurred", [True, False])
def test_what_is_not_safe_is_blurred(made, prompt, blurred):
    """By the picture's label or the text's score; a sharp edge has no grey."""
    folder, _, _ = made
    rows = [{"uuid": prompt_uuid(name)} for name in PROMPTS]
    images = write_images(folder, rows)
    shown = ShownPrompts(folder / "dataset.parquet", blurred=blurred)
    picture = shown.picture(prompt_uuid(prompt), images)
    greys = ((picture > 60) & (picture < 190)).mean()
    hidden = blurred and prompt != "a cat walks"
    assert (greys > 0.1) == hidden
    text = shown.rows.loc[prompt_uuid(prompt), "Text_Prompt"]
    assert text == ("[flagged as unsafe]" if hidden else prompt)


def test_the_mosaic_is_drawn_with_the_same_bytes(made):
    folder, videos, _ = made
    style = {"uuids": [], "prompts": 2, "frames": 3, "width_in": 5.0}
    for name in ("a", "b"):
        counts = plot_figure1(
            folder / "dataset.parquet", folder / "prompts.parquet", videos,
            faces=[folder / f"{name}.png"], generators=GENERATORS, style=style, blurred=True,
            banner="made up", seed=1,
        )  # fmt: skip
    assert counts.sentence() == "read 4 = kept 2 + rejected 2 (not_shown 2)"
    assert (folder / "a.png").read_bytes() == (folder / "b.png").read_bytes()
    assert Image.open(folder / "a.png").width > 500


def test_a_data_point_has_all_its_fields(made, drawn):
    folder, videos, _ = made
    rows = [{"uuid": prompt_uuid(name)} for name in sorted(PROMPTS, key=prompt_uuid)]
    vectors = [row | {"embedding": [0.5, -0.25], "backend": "x"} for row in rows]
    write_table(vectors, folder / "vectors.parquet", embeddings(2))
    files = [folder / "vectors.parquet"]
    counts = plot_figure2(
        folder / "dataset.parquet", folder / "prompts.parquet", files, files,
        write_images(folder, rows), videos, faces=[folder / "f.png"], generators=GENERATORS,
        style={"uuids": [prompt_uuid("a cat walks")], "width_in": 5.0}, blurred=True, banner="",
        seed=1,
    )  # fmt: skip
    words = " ".join(text.get_text() for axis in drawn[0].axes for text in axis.texts)
    for field in ("a cat walks", "Subject: Cat", "Text_NSFW: 0.1000", "Image_NSFW: Safe", "2024"):
        assert field in words.replace("\n", " ")
    titles = [axis.get_title(loc="left") for axis in drawn[0].axes]
    assert {"One", "Two", "Text embedding: 2 numbers"} <= set(titles) and counts.kept == 1


def test_examples_are_safe_ones_first(made, drawn):
    folder, _, _ = made
    names = {"subject": ["Cat", "Dog", "Gone"], "direction": ["run"]}
    rows = [
        {"kind": kind, "name": name, "count": 1, "rank": rank, "cumulative_share": 1.0}
        for kind, found in names.items()
        for rank, name in enumerate(found, 1)
    ]
    write_table(rows, folder / "popularity.parquet", POPULARITY)
    images = write_images(folder, [{"uuid": prompt_uuid(name)} for name in PROMPTS])
    for kind in names:
        counts = plot_figure10(
            folder / "dataset.parquet", folder / "popularity.parquet", images, faces=[folder / "f.png"],
            kind=kind, top=3, style=WIDTH, blurred=True, banner="", seed=1,
        )  # fmt: skip
        texts = {axis.get_title(): axis.get_xlabel() for axis in drawn[-1].axes if axis.images}
        assert list(texts) == [name for name in names[kind] if name != "Gone"]
        assert dict(counts.rejected) == ({"no_image": 1} if kind == "subject" else {})
        if kind == "subject":
            assert texts == {"Cat": "a cat walks", "Dog": "[flagged as unsafe]"}
        else:
            assert texts["run"] in ("a cat walks", "no video")


def test_the_drawing_of_tip_trace_has_the_real_counts(tmp_path, drawn):
    tables = {
        "one": {"part": ["train"] * 6 + ["query"] * 2},
        "two": {"part": ["train"] * 6 + ["query"]},
        "references": {"role": ["source_image"] * 2 + ["reference"] * 1005},
        "distractors": {"role": ["distractor"] * 4},
        "training_images": {"role": ["training_image"] * 3},
    }
    paths = {name: tmp_path / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        pl.DataFrame(table).write_parquet(paths[name])
    style = {"subject_colour": "#0072B2", "direction_colour": "#D55E00", "width_in": 6.0}
    counts = plot_figure12(
        [paths.pop("one"), paths.pop("two")], faces=[tmp_path / "f.png"], style=style, banner="",
        **paths,
    )  # fmt: skip
    words = [text.get_text().split("\n")[0] for axis in drawn[0].axes for text in axis.texts]
    assert words == [
        "Training set", "3 image prompts", "12 frames", "Query set", "3 frames", "4 distractors",
        "traced to", "Reference set", "2 source images", "1,005 other pictures",
    ]  # fmt: skip
    assert counts.kept == 15 + 3 + 1007 + 4
