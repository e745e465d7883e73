import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.common.errors import UserError
from scripts.common.identity import shard_of
from scripts.common.schemas.prompts import PROMPTS
from scripts.common.schemas.release import RELEASE_REJECTS, RELEASE_ROWS, ROW_REASONS
from scripts.common.tables import read_table
from scripts.curate.release.choose_released import choose_released
from scripts.curate.release.read_release import read_release
from scripts.curate.release.released_layout import find_tables
from scripts.curate.release.released_rows import iterate_pictures, iterate_rows, open_table
from scripts.curate.removal_list import RemovalList
from tests.curate.release.small_release import (
    EVAL,
    FULL,
    SUBSET,
    make_release,
    picture,
    prompt_id,
    rows_of,
    write_card,
    write_rows,
)


def read(release, folder, splits=("Full", "Subset", "Eval"), shards=3, **settings):
    """Run the rule's function; return its counts, the rows, and the rejected ones."""
    names = [f"{number:05d}.parquet" for number in range(shards)]
    counts = read_release(
        {split: find_tables(release, split) for split in splits},
        [folder / "rows" / name for name in names],
        [folder / "prompts" / name for name in names],
        folder / "splits.parquet",
        folder / "rejects.parquet",
        card=release / "README.md",
        **settings,
    )
    rows = [read_table(folder / "rows" / name, RELEASE_ROWS) for name in names]
    for number, table in enumerate(rows):
        uuids = table["UUID"].to_pylist()
        assert uuids == sorted(uuids)
        assert {shard_of(uuid, shards) for uuid in uuids} <= {number}
        assert read_table(folder / "prompts" / names[number], PROMPTS)["uuid"].to_pylist() == uuids
    assert not list((folder / "rows").glob("tmp-*"))
    rejects = pl.from_arrow(read_table(folder / "rejects.parquet", RELEASE_REJECTS))
    assert set(rejects["reason"]) <= set(ROW_REASONS)
    return counts, pl.concat(pl.from_arrow(table) for table in rows).sort("UUID"), rejects


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("TIP-I2V"))


def copy_with(tmp_path, split, columns):
    """Make a release of Subset and Eval in which one split has other columns."""
    for name, numbers in (("Subset", SUBSET), ("Eval", EVAL)):
        write_rows(tmp_path / f"data/{name}-00000-of-00001.parquet",
                   columns if name == split else rows_of(numbers))  # fmt: skip
    return tmp_path


def test_each_prompt_is_kept_once_under_its_released_id(release, tmp_path):
    counts, rows, rejects = read(release, tmp_path)
    assert rows["UUID"].to_list() == sorted(prompt_id(number) for number in FULL)
    assert set(rows.filter("subset")["UUID"]) == {prompt_id(number) for number in SUBSET}
    assert set(rows.filter("tip_eval")["UUID"]) == {prompt_id(number) for number in EVAL}
    assert set(rows["split"]) == {"Full"}
    assert (counts.read, counts.kept, counts.lost) == (24, 12, 0)
    assert counts.rejected == {"in_another_split": 12} and not counts.notes
    assert rejects.height == 12
    first = rows.filter(pl.col("UUID") == prompt_id(3)).row(0, named=True)
    # As released: entities that the authors left in are theirs.
    assert first["Text_Prompt"] == "a thing number 3 moves &amp; turns"
    assert str(first["timestamp_utc"]) == "2024-01-04 00:40:21+00:00"
    assert first["Text_NSFW"] == pytest.approx(0.03) and first["Image_NSFW"] == "Safe"
    assert first["UserID"] is None and first["Direction"] is None


def test_the_later_version_has_users_and_directions(tmp_path):
    release = make_release(tmp_path / "TIP-I2V", later=True)
    _, rows, _ = read(release, tmp_path)
    assert set(rows["UserID"]) == {"user 0", "user 1", "user 2"}
    assert set(rows["Direction"]) == {"move, turn", " "}
    prompts = pl.read_parquet(tmp_path / "prompts/*.parquet")
    assert set(prompts["user_id"]) == {"user 0", "user 1", "user 2"}
    assert set(prompts["kind"]) == {"image_to_video"}
    assert prompts["candidates"].list.len().sum() == 0


def test_without_the_full_split_the_others_make_the_data_set(release, tmp_path):
    counts, rows, _ = read(release, tmp_path, splits=("Subset", "Eval"))
    assert set(rows["UUID"]) == {prompt_id(number) for number in {*SUBSET, *EVAL}}
    assert (counts.read, counts.kept, counts.lost) == (12, 10, 0)


def test_bad_rows_are_rejected_one_by_one(tmp_path):
    columns = rows_of([0, 1, 2, 3, 4, 4])
    columns["UUID"][0] = "not an id"
    columns["UUID"][1] = columns["UUID"][1].upper()  # the same id in another spelling
    columns["Text_Prompt"][2] = " \n "
    columns["Timestamp"][3] = "yesterday"
    counts, rows, rejects = read(
        copy_with(tmp_path, "Subset", columns), tmp_path, ("Subset", "Eval")
    )
    here = rejects.filter(pl.col("split") == "Subset")
    assert dict(here.select("row", "reason").iter_rows()) == {
        0: "no_uuid", 2: "empty_prompt", 3: "no_timestamp", 5: "duplicate_uuid"
    }  # fmt: skip
    assert prompt_id(1) in set(rows["UUID"])
    assert counts.lost == 0


def test_a_bad_row_does_not_hide_the_good_one_of_another_split(tmp_path):
    columns = rows_of(SUBSET)
    columns["Text_Prompt"][6] = ""
    _, rows, _ = read(copy_with(tmp_path, "Subset", columns), tmp_path, ("Subset", "Eval"))
    row = rows.filter(pl.col("UUID") == prompt_id(6)).row(0, named=True)
    assert row["split"] == "Eval" and row["tip_eval"]


@pytest.mark.parametrize(
    ("value", "time"),
    [("Sun Sep  3 12:27:44 2023", "2023-09-03 12:27:44"),
     ("2024-01-18T00:40:21", "2024-01-18 00:40:21")],
)  # fmt: skip
def test_times_of_its_like_are_read(tmp_path, value, time):
    columns = rows_of(SUBSET)
    columns["Timestamp"][0] = value
    _, rows, _ = read(copy_with(tmp_path, "Subset", columns), tmp_path, ("Subset", "Eval"))
    assert str(rows.filter(pl.col("UUID") == prompt_id(0))["timestamp_utc"][0]).startswith(time)


def test_a_removed_prompt_and_user_are_left_out(tmp_path):
    columns = rows_of(SUBSET, later=True)
    columns["UserID"] = ["a" * 32 if number == 2 else "b" * 32 for number in SUBSET]
    release = copy_with(tmp_path, "Subset", columns)
    removals = RemovalList(frozenset({prompt_id(6)}), frozenset({"a" * 32}))
    _, rows, rejects = read(release, tmp_path, ("Subset", "Eval"), removals=removals)
    assert not set(rows["UUID"]) & {prompt_id(2), prompt_id(6)}
    removed = rejects.filter(pl.col("reason") == "removed")
    assert removed["uuid"].to_list().count(prompt_id(6)) == 2  # in Subset and in Eval
    splits = pl.read_parquet(tmp_path / "splits.parquet")
    assert not set(splits["UUID"]) & {prompt_id(2), prompt_id(6)}


@pytest.mark.parametrize(("stated", "missing"), [(15, 3), (10, 0)])
def test_another_number_of_rows_than_the_card_states_is_told(tmp_path, stated, missing):
    release = make_release(tmp_path / "TIP-I2V")
    write_card(release, full=stated)
    counts, rows, _ = read(release, tmp_path)
    assert rows.height == 12
    assert counts.rejected["not_in_the_files"] == missing
    assert counts.lost == 0
    assert f"Full has 12 rows in its files, and {stated} by" in counts.notes[0]


@pytest.mark.parametrize("name", ["UUID", "Text_Prompt", "Timestamp"])
def test_a_missing_column_is_named_with_what_there_is(tmp_path, name):
    columns = rows_of(SUBSET)
    del columns[name]
    with pytest.raises(UserError, match=f"column '{name}' is missing; the table has .*Subject"):
        read(copy_with(tmp_path, "Subset", columns), tmp_path, ("Subset", "Eval"))


def test_a_column_of_another_kind_is_named(tmp_path):
    columns = rows_of(SUBSET) | {"Timestamp": list(range(len(SUBSET)))}
    with pytest.raises(UserError, match="column 'Timestamp' is Int64, not a time"):
        read(copy_with(tmp_path, "Subset", columns), tmp_path, ("Subset", "Eval"))


def test_a_cut_table_is_named(tmp_path):
    release = copy_with(tmp_path, "Subset", rows_of(SUBSET))
    table = release / "data/Subset-00000-of-00001.parquet"
    table.write_bytes(table.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"cannot be read as Parquet .* download it again"):
        read(release, tmp_path, ("Subset", "Eval"))


def test_pictures_are_read_from_structs_and_from_bare_bytes(tmp_path):
    table = tmp_path / "table.parquet"
    columns = rows_of([1, 2])
    columns["Image_Prompt"][1] = None
    write_rows(table, columns)
    assert list(iterate_pictures(table)) == [
        (prompt_id(1), picture(1, 16, "JPEG")), (prompt_id(2), b"")
    ]  # fmt: skip
    pq.write_table(pa.table({"UUID": ["x"], "Image_Prompt": [b"abc"]}), table)
    assert list(iterate_pictures(table)) == [(None, b"abc")]
    pq.write_table(pa.table({"UUID": ["x"], "Image_Prompt": ["a.jpg"]}), table)
    with pytest.raises(UserError, match="'Image_Prompt' is string, not a struct with 'bytes'"):
        list(iterate_pictures(table))


def test_the_released_choice_is_taken(release, tmp_path):
    read(release, tmp_path)
    choice = {"prompts": 100, "subjects": 1000, "seed": 1}
    paths = tmp_path / "splits.parquet", tmp_path / "chosen.parquet", tmp_path / "eval.parquet"
    assert choose_released(*paths, **choice).kept == 10
    chosen = pl.read_parquet(paths[1])
    assert set(chosen.filter("subset")["uuid"]) == {prompt_id(number) for number in SUBSET}
    assert set(pl.read_parquet(paths[2])["uuid"]) == {prompt_id(number) for number in EVAL}
    # A smaller run draws from the released subset, and keeps TIP-Eval whole.
    counts = choose_released(*paths, **choice | {"prompts": 3})
    fewer = pl.read_parquet(paths[1])
    assert fewer["subset"].sum() == 3 and fewer["tip_eval"].sum() == len(EVAL)
    assert counts.lost == 0 and counts.rejected["not_drawn"] == 10 - fewer.height


def test_without_the_subset_its_part_is_drawn_from_eval(release, tmp_path):
    read(release, tmp_path, ("Eval",))
    paths = tmp_path / "splits.parquet", tmp_path / "chosen.parquet", tmp_path / "eval.parquet"
    assert choose_released(*paths, prompts=100, subjects=1000, seed=1).kept == len(EVAL)
    assert pl.read_parquet(paths[1])["subset"].sum() == len(EVAL)
    choose_released(*paths, prompts=2, subjects=1000, seed=1)
    chosen = pl.read_parquet(paths[1])
    assert chosen["subset"].sum() == 2 and chosen["tip_eval"].sum() == len(EVAL)


def test_rows_come_in_batches_whatever_the_row_groups_are(release, monkeypatch):
    monkeypatch.setattr("scripts.curate.release.released_rows.BATCH_ROWS", 5)
    batches = list(iterate_rows(find_tables(release, "Full")))
    assert [(first, batch.height) for batch, first in batches] == [(0, 5), (5, 2), (7, 5)]
    assert not any("Image_Prompt" in batch.columns for batch, _ in batches)


def test_memory_holds_one_batch_of_a_row_group_that_is_larger(tmp_path):
    rows, numbers = 20_000, np.random.default_rng(1).random(20_000 * 256, np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(numbers), 256)
    pq.write_table(pa.table({"v": vectors}), tmp_path / "t.parquet", row_group_size=rows)
    before, held = pa.total_allocated_bytes(), []
    for batch in open_table(tmp_path / "t.parquet").iter_batches(500):
        held.append(pa.total_allocated_bytes() - before)
        assert batch.num_rows == 500
    assert max(held) < numbers.nbytes / 4


def test_the_same_release_gives_the_same_bytes(release, tmp_path):
    for name in ("one", "two"):
        read(release, tmp_path / name)
    for path in (tmp_path / "one").rglob("*.parquet"):
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()
