"""The check of the splits: it passes what the rules make, and catches each planted leak."""

import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.common.identity import item_uuid
from tests.split.finished_splits import Splits
from tests.split.made_up import prompt_ids


@pytest.fixture
def splits(tmp_path):
    return Splits(tmp_path)


def test_the_rules_hold_and_every_row_was_checked_on_something(splits):
    counts = splits.check()
    rows = pd.read_csv(splits.folder / "leakage.csv")
    assert len(rows) == 25
    assert (rows["violations"] == 0).all()
    assert (rows["checked"] > 0).all()
    assert counts.sentence() == (
        "read 62 = kept 59 + rejected 3 (undecodable 3)"  # 20 + 20 + 12 + 10 wanted videos
    )


def test_coverage_counts_what_is_missing_by_reason(splits):
    splits.check()
    rows = pd.read_csv(splits.folder / "coverage.csv", keep_default_na=False)
    wanted = rows.groupby(["split", "source"])["items"].sum()
    assert wanted["tip_id"].to_dict() == {"pika": 20, "morph": 20, "vsc22": 12, "vidprom": 10}
    assert wanted["tip_trace"].to_dict() == {"pika": 20, "morph": 20}
    missing = rows[rows["status"] == "rejected"].set_index(["split", "source"])["items"]
    assert missing.to_dict() == {
        ("tip_id", "morph"): 2,
        ("tip_id", "vidprom"): 1,
        ("tip_trace", "morph"): 2,
    }


def swap_split(splits, source, rows_to_swap):
    rows = splits.read(f"tip_id/{source}")
    chosen = rows_to_swap(rows)
    rows.loc[chosen, "split"] = rows.loc[chosen, "split"].map({"train": "test", "test": "train"})
    splits.write(f"tip_id/{source}", rows)


def prompt_on_both_sides(splits):
    swap_split(splits, "morph", lambda rows: rows.index == 3)


def real_video_on_both_sides(splits):
    swap_split(splits, "vsc22", lambda rows: rows.index == 0)


def text_video_on_both_sides(splits):
    rows = splits.read("tip_id/vidprom")
    twin = rows.iloc[[0]].assign(split="test" if rows["split"].iloc[0] == "train" else "train")
    splits.write("tip_id/vidprom", pd.concat([rows, twin]))


def video_listed_twice(splits):
    rows = splits.read("tip_id/pika")
    splits.write("tip_id/pika", pd.concat([rows, rows.iloc[[0]]]))


def prompt_of_tip_eval_only(splits):
    rows = splits.read("tip_id/pika")
    foreign = rows.iloc[[0]].assign(uuid=prompt_ids(23)[22], group=prompt_ids(23)[22])
    splits.write("tip_id/pika", pd.concat([rows, foreign]))


def prompt_in_both_parts(splits):
    """One that has neither frames nor an image: nothing but its two parts is wrong."""
    rows = splits.read("tip_trace/prompts")
    twice = pd.DataFrame({"uuid": prompt_ids(21)[20:] * 2, "part": ["train", "query"]})
    splits.write("tip_trace/prompts", pd.concat([rows, twice]))


def query_prompt_that_trains_too(splits):
    rows = splits.read("tip_trace/prompts")
    query = rows[rows["part"] == "query"].iloc[[0]]
    splits.write("tip_trace/prompts", pd.concat([rows, query.assign(part="train")]))


def query_frame_that_trains(splits):
    rows = splits.read("tip_trace/morph")
    frame = rows[rows["part"] == "query"].iloc[[0]]
    splits.write("tip_trace/morph", pd.concat([rows, frame.assign(part="train", frame=0)]))


def training_frame_that_is_a_query(splits):
    rows = splits.read("tip_trace/morph")
    frame = rows[rows["part"] == "train"].iloc[[0]]
    splits.write("tip_trace/morph", pd.concat([rows, frame.assign(part="query")]))


def two_frames_of_a_query(splits):
    rows = splits.read("tip_trace/morph")
    frame = rows[rows["part"] == "query"].iloc[[0]]
    splits.write("tip_trace/morph", pd.concat([rows, frame.assign(frame=frame["frame"] + 1)]))


def query_without_its_source_image(splits):
    rows = splits.read("tip_trace/references")
    asked = splits.read("tip_trace/morph").query("part == 'query'")["uuid"].iloc[0]
    splits.write("tip_trace/references", rows[rows["uuid"] != asked])


def source_image_that_is_searched_twice(splits):
    rows = splits.read("tip_trace/references")
    source = rows[rows["role"] == "source_image"].iloc[[0]]
    splits.write("tip_trace/references", pd.concat([rows, source]))


def training_image_among_the_references(splits):
    rows = splits.read("tip_trace/references")
    prompts = splits.read("tip_trace/prompts")
    image = prompts.loc[prompts["part"] == "train", "uuid"].iloc[0]
    extra = rows[rows["role"] == "source_image"].iloc[[0]].assign(uuid=image)
    splits.write("tip_trace/references", pd.concat([rows, extra]))


def querys_image_among_the_training_images(splits):
    rows = splits.read("tip_trace/training_images")
    prompts = splits.read("tip_trace/prompts")
    image = prompts.loc[prompts["part"] == "query", "uuid"].iloc[0]
    splits.write("tip_trace/training_images", pd.concat([rows, rows.iloc[[0]].assign(uuid=image)]))


def foreign_image_among_the_training_images(splits):
    rows = splits.read("tip_trace/training_images")
    rows.loc[0, "uuid"] = item_uuid("elsewhere", "0")
    splits.write("tip_trace/training_images", rows)


def prompt_among_the_outside_references(splits):
    rows = splits.read("tip_trace/references")
    prompts = splits.read("tip_trace/prompts")
    foreign = rows["role"] == "reference"
    rows.loc[foreign.idxmax(), "uuid"] = prompts.loc[prompts["part"] == "train", "uuid"].iloc[0]
    splits.write("tip_trace/references", rows)


def prompt_image_as_outside_reference(splits):
    rows = splits.read("tip_trace/references")
    checksum = rows.loc[rows["role"] == "source_image", "sha256"].iloc[0]
    foreign = rows["role"] == "reference"
    rows.loc[foreign.idxmax(), "sha256"] = checksum
    splits.write("tip_trace/references", rows)


def reference_among_the_distractors(splits):
    rows = splits.read("tip_trace/distractors")
    references = splits.read("tip_trace/references")
    rows.loc[0, "uuid"] = references.loc[references["role"] == "reference", "uuid"].iloc[0]
    splits.write("tip_trace/distractors", rows)


def distractor_that_is_a_prompts_image(splits):
    rows = splits.read("tip_trace/distractors")
    rows.loc[0, "sha256"] = splits.read("tip_trace/training_images")["sha256"].iloc[0]
    splits.write("tip_trace/distractors", rows)


def distractor_with_a_match(splits):
    rows = splits.read("tip_trace/distractors")
    references = splits.read("tip_trace/references")
    match = references.loc[references["role"] == "reference", "sha256"].iloc[0]
    rows.loc[0, "sha256"] = match
    splits.write("tip_trace/distractors", rows)


OF_INDEXES = {
    "tip_id.videos_of_indexes",
    "tip_id.bytes_apart",
    "tip_trace.pictures_of_indexes",
    "tip_trace.prompts_of_subset",
}


@pytest.mark.parametrize(
    ("plant", "rules"),
    [
        (prompt_on_both_sides, {"tip_id.prompts_apart"}),
        (real_video_on_both_sides, {"tip_id.real_videos_apart"}),
        (text_video_on_both_sides, {"tip_id.text_videos_apart", "tip_id.videos_once"}),
        (video_listed_twice, {"tip_id.videos_once"}),
        (prompt_of_tip_eval_only, {"tip_id.prompts_of_subset"}),
        (prompt_in_both_parts, {"tip_trace.prompts_apart"}),
        (
            query_prompt_that_trains_too,
            {"tip_trace.prompts_apart", "tip_trace.sources_of_queries_only"},
        ),
        (query_frame_that_trains, {"tip_trace.frames_apart"}),
        (
            training_frame_that_is_a_query,
            {"tip_trace.frames_apart", "tip_trace.sources_are_searched"},
        ),
        (two_frames_of_a_query, {"tip_trace.one_frame_per_query"}),
        (query_without_its_source_image, {"tip_trace.sources_are_searched"}),
        (source_image_that_is_searched_twice, {"tip_trace.sources_are_searched"}),
        (training_image_among_the_references, {"tip_trace.sources_of_queries_only"}),
        (
            querys_image_among_the_training_images,
            {"tip_trace.training_images_of_training_only"},
        ),
        (
            foreign_image_among_the_training_images,
            {"tip_trace.training_images_of_training_only"},
        ),
        (prompt_among_the_outside_references, {"tip_trace.references_are_foreign"}),
        (prompt_image_as_outside_reference, {"tip_trace.references_are_foreign"}),
        (reference_among_the_distractors, {"tip_trace.distractors_have_no_match"}),
        (distractor_that_is_a_prompts_image, {"tip_trace.distractors_have_no_match"}),
        (distractor_with_a_match, {"tip_trace.distractors_have_no_match"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_planted_leak_is_caught_and_named(splits, plant, rules):
    plant(splits)
    with pytest.raises(UserError, match=r"^the splits leak: 1 of") as caught:
        splits.check()
    # Rows of a made-up id, or with another's checksum, also point at what no index has there.
    assert splits.broken() - OF_INDEXES == rules
    assert "\n" not in str(caught.value)
    assert {note.partition(":")[0] for note in splits.notes} == splits.broken()


def test_a_video_that_a_split_lost_is_shown(splits):
    splits.write("tip_id/pika", splits.read("tip_id/pika").iloc[1:])
    counts = splits.check()
    assert counts.lost == 1
    rows = pd.read_csv(splits.folder / "coverage.csv", keep_default_na=False)
    assert list(rows.loc[rows["status"] == "lost", "source"]) == ["pika"]
