"""TIP-ID: what belongs together stays on one side, whatever the sizes."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.common.identity import item_uuid
from scripts.common.schemas.split import TIP_ID
from scripts.common.tables import read_frame
from scripts.split.ranks import held_out
from scripts.split.split_tip_id import split_tip_id
from tests.split.made_up import prompt_ids, write_chosen, write_index

few = settings(max_examples=15, deadline=None)


def split(folder, source, label, index, chosen=None, share=0.1, seed=3):
    out = folder / "tip_id" / f"{source}.parquet"
    counts = split_tip_id(
        [index],
        out,
        source=source,
        label=label,
        tars=[f"results/{source}.tar"],
        test_share=share,
        seed=seed,
        chosen=chosen,
    )
    return counts, read_frame(out, TIP_ID)


@given(number=st.integers(0, 300), share=st.floats(0.01, 0.99), seed=st.integers(0, 9))
@settings(deadline=None)
def test_held_out_is_the_share_asked_for_and_leaves_no_side_empty(number, share, seed):
    names = prompt_ids(number)
    test = held_out(names, share, seed, "x")
    assert test <= set(names)
    assert abs(len(test) - share * number) <= 1
    if number > 1:
        assert 1 <= len(test) < number
    assert test == held_out(reversed(names), share, seed, "x")


@pytest.mark.parametrize(
    ("number", "share", "expected"),
    # The paper's 9:1 of 354,486 segments is 35,449 (Supplement 13); halves are rounded up.
    [(354_486, 0.1, 35_449), (19, 0.1, 2), (25, 0.1, 3), (14, 0.1, 1), (10, 0.3, 3)],
)
def test_held_out_is_the_nearest_number_to_the_share(number, share, expected):
    assert len(held_out(map(str, range(number)), share, 1, "x")) == expected


@given(number=st.integers(2, 80), added=st.integers(0, 20), share=st.floats(0.05, 0.6))
@settings(deadline=None)
def test_added_prompts_move_at_most_as_many_as_they_are(number, added, share):
    before = held_out(prompt_ids(number), share, 1, "x")
    after = held_out(prompt_ids(number + added), share, 1, "x")
    assert len((before ^ after) & set(prompt_ids(number))) <= added + 1


@few
@given(data=st.data(), number=st.integers(2, 40), share=st.floats(0.05, 0.9))
def test_prompts_never_straddle_between_generators(tmp_path_factory, data, number, share):
    folder = tmp_path_factory.mktemp("tip_id")
    uuids = prompt_ids(number)
    chosen = write_chosen(folder / "chosen.parquet", uuids, prompt_ids(number + 5)[number:])
    sides: dict[str, set[str]] = {"train": set(), "test": set()}
    for source in ("pika", "morph", "sway"):
        rejected = data.draw(st.sets(st.sampled_from(uuids)))
        index = write_index(folder / f"{source}.parquet", uuids, rejected=rejected)
        counts, rows = split(folder, source, "image_generated", index, chosen, share)
        assert set(rows["uuid"]) == set(uuids) - rejected
        assert (counts.kept, counts.rejected["undecodable"]) == (len(rows), len(rejected))
        assert not counts.lost
        for side, group in rows.groupby("split"):
            sides[side] |= set(group["uuid"])
    assert not sides["train"] & sides["test"]


@few
@given(sizes=st.lists(st.integers(1, 5), min_size=2, max_size=20), share=st.floats(0.05, 0.9))
def test_segments_of_a_real_video_stay_together(tmp_path_factory, sizes, share):
    folder = tmp_path_factory.mktemp("tip_id")
    groups = [f"video-{place}" for place, size in enumerate(sizes) for _ in range(size)]
    uuids = [item_uuid("real", str(place)) for place in range(len(groups))]
    index = write_index(folder / "real.parquet", uuids, groups=groups)
    _, rows = split(folder, "vsc22", "real", index, share=share)
    assert dict(zip(rows["uuid"], rows["group"], strict=True)) == dict(
        zip(uuids, groups, strict=True)
    )
    assert (rows.groupby("group")["split"].nunique() == 1).all()
    assert set(rows["split"]) == {"train", "test"}


def test_text_videos_are_split_by_item_and_rows_say_where_bytes_lie(tmp_path):
    uuids = [item_uuid("text", str(place)) for place in range(50)]
    index = write_index(tmp_path / "text.parquet", uuids)
    _, rows = split(tmp_path, "vidprom_pika", "text_generated", index)
    assert Counter(rows["split"]) == {"train": 45, "test": 5}
    assert set(rows["label"]) == {"text_generated"}
    known = read_frame(index).set_index("uuid")
    for row in rows.itertuples():
        assert row.tar == "results/vidprom_pika.tar"
        assert (row.offset, row.size_bytes) == tuple(known.loc[row.uuid, ["offset", "size_bytes"]])


def test_another_generator_or_a_broken_video_moves_no_prompt(tmp_path):
    uuids = prompt_ids(60)
    chosen = write_chosen(tmp_path / "chosen.parquet", uuids)
    whole = write_index(tmp_path / "a.parquet", uuids)
    split(tmp_path, "pika", "image_generated", whole, chosen)
    before = (tmp_path / "tip_id" / "pika.parquet").read_bytes()
    damaged = write_index(tmp_path / "b.parquet", uuids, rejected=uuids[:30])
    _, rows = split(tmp_path, "new", "image_generated", damaged, chosen)
    first = read_frame(tmp_path / "tip_id" / "pika.parquet").set_index("uuid")["split"]
    assert (rows.set_index("uuid")["split"] == first[rows["uuid"]]).all()
    split(tmp_path, "pika", "image_generated", whole, chosen)
    assert (tmp_path / "tip_id" / "pika.parquet").read_bytes() == before


def test_a_prompt_without_a_row_is_counted_as_missing(tmp_path):
    uuids = prompt_ids(10)
    chosen = write_chosen(tmp_path / "chosen.parquet", uuids)
    index = write_index(tmp_path / "a.parquet", uuids[:7])
    counts, _ = split(tmp_path, "pika", "image_generated", index, chosen)
    assert counts.sentence() == "read 10 = kept 7 + rejected 3 (no_video 3)"


def test_a_real_segment_without_its_source_video_is_an_error(tmp_path):
    index = write_index(tmp_path / "real.parquet", prompt_ids(3), groups=["a", None, "b"])
    with pytest.raises(UserError, match="has no 'group'; name the source video"):
        split(tmp_path, "vsc22", "real", index)


def test_an_item_with_two_rows_is_an_error(tmp_path):
    index = write_index(tmp_path / "text.parquet", prompt_ids(3) * 2)
    with pytest.raises(UserError, match="has two rows in the indexes"):
        split(tmp_path, "vidprom_pika", "text_generated", index)
