"""TIP-Trace: query prompts held out, frames, references and distractors."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.common.identity import item_uuid
from scripts.common.schemas.split import TRACE_FRAMES, TRACE_IMAGES, TRACE_PROMPTS
from scripts.common.tables import read_frame
from scripts.split.collect_trace_images import collect_trace_images
from scripts.split.sample_trace_frames import sample_trace_frames
from scripts.split.split_tip_trace import split_tip_trace
from tests.split.made_up import prompt_ids, write_chosen, write_index

few = settings(max_examples=15, deadline=None)


def split(folder, number, query_prompts):
    chosen = write_chosen(folder / "chosen.parquet", prompt_ids(number))
    out = folder / "prompts.parquet"
    images = write_index(folder / "images.parquet", prompt_ids(number), frames=1)
    split_tip_trace(chosen, [images], out, query_prompts=query_prompts, seed=5)
    return out, read_frame(out, TRACE_PROMPTS).set_index("uuid")["part"]


def sample(folder, prompts, index, generator="morph", frames_per_video=4, along=(0, 2)):
    out = folder / f"{generator}.frames.parquet"
    counts = sample_trace_frames(
        prompts,
        [index],
        out,
        generator=generator,
        tars=[f"results/videos/{generator}/00000.tar"],
        frames_per_video=frames_per_video,
        along=dict(zip(("prompts", "frames"), along, strict=True)),
        seed=5,
    )
    return counts, read_frame(out, TRACE_FRAMES)


def collect(folder, prompts, images, references, distractors, **limits):
    counts = collect_trace_images(
        prompts,
        [images],
        [references],
        [distractors],
        folder / "references.parquet",
        folder / "distractors.parquet",
        folder / "training_images.parquet",
        image_tars=["images.tar"],
        reference_tars=["references.tar"],
        distractor_tars=["distractors.tar"],
        **{"max_references": 10, "max_distractors": 10, "seed": 5} | limits,
    )
    names = ("references", "distractors")
    return counts, *(read_frame(folder / f"{name}.parquet", TRACE_IMAGES) for name in names)


@few
@given(number=st.integers(2, 60), added=st.integers(0, 10), data=st.data())
def test_queries_are_as_many_as_asked_and_mostly_kept(tmp_path_factory, number, added, data):
    folder = tmp_path_factory.mktemp("trace")
    wanted = data.draw(st.integers(1, number - 1))
    _, before = split(folder, number, wanted)
    _, after = split(folder, number + added, wanted)
    assert (before == "query").sum() == (after == "query").sum() == wanted
    assert set(before.index) == set(prompt_ids(number))
    # A prompt that trained never becomes a query because others came.
    old = after[after.index.isin(before.index)]
    assert set(old[old == "query"].index) <= set(before[before == "query"].index)


def test_no_training_prompt_left_is_an_error(tmp_path):
    with pytest.raises(UserError, match="query_prompts is 9 and the subset has 9 prompts"):
        split(tmp_path, 9, 9)


@few
@given(lengths=st.lists(st.integers(1, 40), min_size=3, max_size=12), wanted=st.integers(1, 12))
def test_frames_lie_in_their_videos_and_follow_their_prompts(tmp_path_factory, lengths, wanted):
    folder = tmp_path_factory.mktemp("trace")
    prompts, parts = split(folder, len(lengths), 2)
    index = write_index(folder / "index.parquet", prompt_ids(len(lengths)), frames=lengths)
    counts, rows = sample(folder, prompts, index, frames_per_video=wanted)
    assert counts.kept == len(lengths)
    length_of = dict(zip(prompt_ids(len(lengths)), lengths, strict=True))
    for uuid, frames in rows.groupby("uuid"):
        numbers = list(frames["frame"])
        assert set(frames["part"]) == {parts[uuid]}
        assert numbers == sorted(set(numbers))
        assert numbers[0] >= 0 and numbers[-1] < length_of[uuid]
        if parts[uuid] == "query":
            assert len(numbers) == 1
        else:
            assert len(numbers) == min(wanted, length_of[uuid])


def test_training_frames_are_uniform_and_query_frames_differ_by_generator(tmp_path):
    prompts, _ = split(tmp_path, 80, 40)
    uuids = prompt_ids(80)
    index = write_index(tmp_path / "index.parquet", uuids, frames=72, rejected=uuids[:1])
    counts, rows = sample(tmp_path, prompts, index, frames_per_video=10)
    assert counts.sentence() == "read 80 = kept 79 + rejected 1 (undecodable 1)"
    training = rows[rows["part"] == "train"].groupby("uuid")["frame"].apply(list)
    assert all(numbers == [0, 7, 15, 23, 31, 39, 47, 55, 63, 71] for numbers in training)
    queries = rows[rows["part"] == "query"].set_index("uuid")["frame"]
    assert queries.nunique() > 10
    _, other = sample(tmp_path, prompts, index, generator="sway", frames_per_video=10)
    assert (other[other["part"] == "query"].set_index("uuid")["frame"] != queries).mean() > 0.8
    known = read_frame(index).set_index("uuid")
    row = rows.iloc[-1]
    assert row["tar"] == "results/videos/morph/00000.tar"
    assert (row["offset"], row["size_bytes"]) == tuple(
        known.loc[row["uuid"], ["offset", "size_bytes"]]
    )


def test_some_query_videos_are_followed_from_their_first_frame_to_their_last(tmp_path):
    prompts, parts = split(tmp_path, 30, 12)
    lengths = [20 if number % 5 else 4 for number in range(30)]
    index = write_index(tmp_path / "index.parquet", prompt_ids(30), frames=lengths)
    _, without = sample(tmp_path, prompts, index)
    _, rows = sample(tmp_path, prompts, index, along=(7, 5))
    along = rows[rows["part"] == "along"]
    assert rows[rows["part"] != "along"].reset_index(drop=True).equals(without)
    long = dict(zip(prompt_ids(30), lengths, strict=True))
    followed = along.groupby("uuid")["frame"].apply(list)
    assert all(numbers == [0, 4, 9, 14, 19] for numbers in followed)
    assert 0 < len(followed) <= 7
    assert all(long[uuid] == 20 and parts[uuid] == "query" for uuid in followed.index)
    # the same prompts whoever made the videos
    _, other = sample(tmp_path, prompts, index, generator="sway", along=(7, 5))
    assert set(other.loc[other["part"] == "along", "uuid"]) == set(followed.index)
    assert (
        along["offset"] == along["uuid"].map(read_frame(index).set_index("uuid")["offset"])
    ).all()


def test_a_broken_video_or_another_generator_changes_no_other_frame(tmp_path):
    prompts, _ = split(tmp_path, 20, 8)
    uuids = prompt_ids(20)
    _, whole = sample(tmp_path, prompts, write_index(tmp_path / "a.parquet", uuids))
    _, damaged = sample(
        tmp_path, prompts, write_index(tmp_path / "a.parquet", uuids, rejected=uuids[:5])
    )
    keys = ["uuid", "part", "frame"]
    left = whole[~whole["uuid"].isin(uuids[:5])].reset_index(drop=True)
    assert damaged[keys].equals(left[keys])


@few
@given(
    number=st.integers(2, 20),
    outside=st.integers(0, 15),
    limit=st.integers(0, 20),
    data=st.data(),
)
def test_only_the_queries_source_images_are_searched(
    tmp_path_factory, number, outside, limit, data
):
    folder = tmp_path_factory.mktemp("trace")
    prompts, parts = split(folder, number, data.draw(st.integers(1, number - 1)))
    images = write_index(folder / "images.parquet", prompt_ids(number + 4), frames=1)
    foreign = [item_uuid("references", str(place)) for place in range(outside)]
    others = [item_uuid("distractors", str(place)) for place in range(outside)]
    counts, references, distractors = collect(
        folder,
        prompts,
        images,
        write_index(folder / "references-in.parquet", foreign, frames=1),
        write_index(folder / "distractors-in.parquet", others, frames=1),
        max_references=limit,
        max_distractors=limit,
    )
    sources = references[references["role"] == "source_image"]
    assert set(sources["uuid"]) == set(parts[parts == "query"].index)
    assert set(sources["tar"]) == {"images.tar"}
    assert len(references) - len(sources) == len(distractors) == min(limit, outside)
    assert set(references.loc[references["role"] == "reference", "uuid"]) <= set(foreign)
    assert set(distractors["uuid"]) <= set(others)
    assert counts.lost == 0


def test_a_file_that_is_there_already_is_neither_reference_nor_distractor(tmp_path):
    prompts, _ = split(tmp_path, 6, 3)
    images = write_index(tmp_path / "images.parquet", prompt_ids(6), frames=1, same_bytes=True)
    foreign = [item_uuid("references", str(place)) for place in range(4)]
    same = write_index(tmp_path / "same.parquet", foreign, frames=1, same_bytes=True)
    fresh = write_index(tmp_path / "fresh.parquet", foreign, frames=1)
    counts, references, distractors = collect(tmp_path, prompts, images, same, same)
    assert set(references["role"]) == {"source_image"} and not len(distractors)
    assert counts.rejected == {"same_bytes": 8}
    # The same files as references and as distractors: they can only be references.
    _, references, distractors = collect(tmp_path, prompts, images, fresh, fresh)
    assert len(references) == 3 + 4 and not len(distractors)


def test_a_missing_source_image_is_counted(tmp_path):
    prompts, parts = split(tmp_path, 6, 3)
    query = parts[parts == "query"].index[0]
    images = write_index(tmp_path / "images.parquet", prompt_ids(6), rejected=[query])
    empty = write_index(tmp_path / "empty.parquet", [])
    counts, references, _ = collect(tmp_path, prompts, images, empty, empty)
    assert query not in set(references["uuid"])
    assert counts.sentence() == "read 6 = kept 5 + rejected 1 (undecodable 1)"


def test_training_images_are_those_of_the_training_prompts(tmp_path):
    prompts, parts = split(tmp_path, 12, 4)
    uuids = list(parts.index)
    images = write_index(tmp_path / "images.parquet", uuids, frames=1)
    outside = [
        write_index(tmp_path / f"{name}.in.parquet", [item_uuid(name, "0")], frames=1)
        for name in ("references", "distractors")
    ]
    collect(tmp_path, prompts, images, *outside)
    found = read_frame(tmp_path / "training_images.parquet", TRACE_IMAGES)
    assert set(found["role"]) == {"training_image"}
    assert set(found["uuid"]) == set(parts.index[parts == "train"])
