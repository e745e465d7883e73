"""Leaks that look like finished splits: other bytes, other labels, one side only."""

import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.common.schemas.items import ITEM_INDEX
from scripts.common.tables import read_frame, write_table
from tests.split.finished_splits import PROMPTS, Splits


@pytest.fixture
def splits(tmp_path):
    return Splits(tmp_path)


def change(splits, name, which, **values):
    """Give some rows of a table other values; a column's name as a value takes its first row's."""
    rows = splits.read(name)
    chosen = which(rows)
    for column, value in values.items():
        rows.loc[chosen, column] = value
    splits.write(name, rows)


def reindex(splits, index, which, **values):
    """Change what an index says."""
    rows = read_frame(index, ITEM_INDEX)
    for column, value in values.items():
        rows.loc[which(rows), column] = value
    write_table(rows, index, ITEM_INDEX)


def first(rows):
    return rows.index == rows.index[0]


def part(splits, name):
    prompts = splits.read("tip_trace/prompts")
    return prompts.loc[prompts["part"] == name, "uuid"].iloc[0]


def side(splits, source, split):
    rows = splits.read(f"tip_id/{source}")
    return rows.loc[rows["split"] == split, "uuid"].iloc[0]


def same_picture_under_a_training_and_a_query_prompt(splits):
    """After the split, which would have left the training prompt out."""
    twins = part(splits, "train"), part(splits, "query")
    rows = read_frame(splits.images, ITEM_INDEX).set_index("uuid")
    checksum = rows.loc[twins[1], "sha256"]
    reindex(splits, splits.images, lambda rows: rows["uuid"] == twins[0], sha256=checksum)
    change(splits, "tip_trace/training_images", lambda r: r["uuid"] == twins[0], sha256=checksum)


def same_video_under_two_ids(splits):
    index = splits.indexes["vidprom"]
    names = [side(splits, "vidprom", split) for split in ("train", "test")]
    reindex(splits, index, lambda rows: rows["uuid"].isin(names), sha256="0" * 64)


def generated_video_among_the_real_ones(splits):
    uuid = side(splits, "vsc22", "train")
    generated = read_frame(splits.indexes["pika"], ITEM_INDEX).set_index("uuid")
    checksum = generated.loc[side(splits, "pika", "train"), "sha256"]
    reindex(splits, splits.indexes["vsc22"], lambda r: r["uuid"] == uuid, sha256=checksum)


def generated_video_that_is_called_real(splits):
    change(splits, "tip_id/pika", first, label="real")


def video_under_another_source(splits):
    change(splits, "tip_id/pika", first, source="morph")


def take_under_two_groups(splits):
    """A segment of a training video, under a made-up group, is for test."""
    chosen = side(splits, "vsc22", "train")
    change(splits, "tip_id/vsc22", lambda r: r["uuid"] == chosen, group="v99", split="test")


def prompts_video_under_another_group(splits):
    change(splits, "tip_id/pika", first, group="elsewhere")


def unknown_side(splits):
    rows = splits.read("tip_id/vidprom")
    change(
        splits, "tip_id/vidprom", lambda r: r["uuid"] == rows["uuid"].iloc[-1], split="validation"
    )


def unknown_part(splits):
    chosen = part(splits, "train")
    change(splits, "tip_trace/prompts", lambda r: r["uuid"] == chosen, part="validation")


def unknown_role(splits):
    change(splits, "tip_trace/distractors", first, role="reference")


def everything_is_for_training(splits):
    change(splits, "tip_id/vsc22", lambda rows: rows["uuid"] != "", split="train")


def no_video_of_a_class(splits):
    splits.write("tip_id/vidprom", splits.read("tip_id/vidprom").iloc[:0])


def no_queries_of_a_generator(splits):
    rows = splits.read("tip_trace/morph")
    splits.write("tip_trace/morph", rows[rows["part"] == "train"])


def video_that_points_at_another(splits):
    rows = splits.read("tip_id/morph")
    other = rows.iloc[-1]
    change(splits, "tip_id/morph", first, offset=other["offset"], size_bytes=other["size_bytes"])


def training_frame_that_points_at_a_querys_video(splits):
    rows = splits.read("tip_trace/morph")
    query = rows[rows["part"] == "query"].iloc[0]
    chosen = rows.loc[rows["part"] == "train", "uuid"].iloc[0]
    place = {"offset": query["offset"], "size_bytes": query["size_bytes"]}
    change(splits, "tip_trace/morph", lambda r: r["uuid"] == chosen, **place)


def training_image_that_points_at_a_querys(splits):
    source = splits.read("tip_trace/references").query("role == 'source_image'").iloc[0]
    place = {key: source[key] for key in ("offset", "size_bytes", "sha256")}
    change(splits, "tip_trace/training_images", first, **place)


def training_image_in_another_tar(splits):
    change(splits, "tip_trace/training_images", first, tar="r.tar")


def prompt_from_outside_the_subset(splits):
    rows = splits.read("tip_trace/prompts")
    foreign = pd.DataFrame({"uuid": ["00000000-0000-5000-8000-000000000000"], "part": ["train"]})
    splits.write("tip_trace/prompts", pd.concat([rows, foreign]))


@pytest.mark.parametrize(
    ("plant", "rules"),
    [
        (same_picture_under_a_training_and_a_query_prompt, {"tip_trace.pictures_apart"}),
        (same_video_under_two_ids, {"tip_id.bytes_apart"}),
        (generated_video_among_the_real_ones, {"tip_id.bytes_apart"}),
        (
            generated_video_that_is_called_real,
            {"tip_id.labels_of_sources", "tip_id.takes_of_indexes"},
        ),
        (video_under_another_source, {"tip_id.labels_of_sources"}),
        (take_under_two_groups, {"tip_id.takes_of_indexes"}),
        (prompts_video_under_another_group, {"tip_id.takes_of_indexes"}),
        (unknown_side, {"tip_id.known_sides"}),
        (unknown_part, {"tip_trace.known_parts", "tip_trace.frames_apart"}),
        (unknown_role, {"tip_trace.known_parts", "tip_trace.pictures_of_indexes"}),
        (everything_is_for_training, {"tip_id.both_sides"}),
        (no_video_of_a_class, {"tip_id.both_sides"}),
        (no_queries_of_a_generator, {"tip_trace.both_parts"}),
        (video_that_points_at_another, {"tip_id.videos_of_indexes"}),
        (training_frame_that_points_at_a_querys_video, {"tip_trace.frames_of_indexes"}),
        (training_image_that_points_at_a_querys, {"tip_trace.pictures_of_indexes"}),
        (training_image_in_another_tar, {"tip_trace.pictures_of_indexes"}),
        (prompt_from_outside_the_subset, {"tip_trace.prompts_of_subset"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_planted_leak_is_caught(splits, plant, rules):
    plant(splits)
    with pytest.raises(UserError, match=r"^the splits leak: "):
        splits.check()
    assert rules <= splits.broken() <= rules | ALSO.get(plant, set())


ALSO = {
    generated_video_that_is_called_real: {"tip_id.prompts_apart", "tip_id.bytes_apart"},
    video_under_another_source: {"tip_id.videos_once", "tip_id.videos_of_indexes"},
    unknown_part: {"tip_trace.training_images_of_training_only"},
    unknown_role: {"tip_trace.references_are_foreign"},
    training_image_that_points_at_a_querys: set(),
}
"""What else is then wrong, by the way the made-up study is laid out."""


def test_a_training_prompt_with_a_querys_picture_is_left_out_and_counted(splits, tmp_path):
    from scripts.split.split_tip_trace import split_tip_trace

    queries = splits.read("tip_trace/prompts").query("part == 'query'")["uuid"]
    checksum = "1" * 64
    shared = [queries.iloc[0], queries.iloc[1], *[u for u in PROMPTS if u not in set(queries)][:3]]
    reindex(splits, splits.images, lambda rows: rows["uuid"].isin(shared), sha256=checksum)
    out = tmp_path / "prompts.parquet"
    counts = split_tip_trace(splits.chosen, [splits.images], out, query_prompts=6, seed=11)
    assert counts.sentence() == "read 20 = kept 17 + rejected 3 (same_bytes 3)"
    left = read_frame(out).set_index("uuid")["part"]
    assert set(left.index) == set(PROMPTS) - set(shared[2:])
    assert set(left[left == "query"].index) == set(queries)
