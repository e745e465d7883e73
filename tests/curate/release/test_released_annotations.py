import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.common.errors import UserError
from scripts.common.identity import shard_of
from scripts.common.schemas.annotate import (
    DIRECTION,
    EMBEDDED,
    IMAGE_NSFW,
    REASONS,
    SUBJECT,
    TEXT_NSFW,
    embeddings,
)
from scripts.common.schemas.release import RELEASE_ROWS
from scripts.common.tables import read_table, write_table
from scripts.curate.release.read_annotations import read_annotations
from scripts.curate.release.read_embeddings import read_embeddings
from tests.curate.release.small_release import TEXT_DIMENSION, prompt_id, vectors, write_embedding

SCHEMAS = {
    "text_nsfw": TEXT_NSFW, "image_nsfw": IMAGE_NSFW, "subject": SUBJECT, "direction": DIRECTION
}  # fmt: skip


def write_index(path, numbers, missing=()):
    """Write what these rules read of an index of images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    status = ["rejected" if number in missing else "ok" for number in numbers]
    ids = [prompt_id(number) for number in numbers]
    pl.DataFrame(
        {"uuid": ids, "status": status}, {"uuid": pl.String, "status": pl.String}
    ).write_parquet(path)


def read_values(tmp_path, rows, missing=()):
    """Run the rule's function on some rows; return the counts, and a table for each annotation."""
    common = {"timestamp_utc": 0, "split": "Full", "subset": False, "tip_eval": False}
    table = [
        common | {"UUID": prompt_id(number), "Text_Prompt": "x"} | row
        for number, row in enumerate(rows)
    ]
    write_table(table, tmp_path / "rows.parquet", RELEASE_ROWS, sort_by=["UUID"])
    write_index(tmp_path / "index.parquet", range(len(rows)), missing)
    paths = {name: tmp_path / f"{name}.parquet" for name in SCHEMAS}
    counts = read_annotations(tmp_path / "rows.parquet", tmp_path / "index.parquet", paths)
    found = {}
    for name, path in paths.items():
        rows_ = read_table(path, SCHEMAS[name]).to_pylist()
        assert {row["backend"] for row in rows_} <= {"released"}
        assert {row["reason"] for row in rows_} - {None} <= set(REASONS)
        found[name] = {row["uuid"]: row for row in rows_}
    return counts, found


def test_released_values_are_taken(tmp_path):
    row = {
        "Text_NSFW": 0.25,
        "Image_NSFW": "Safe",
        "Subject": " Dragon ",
        "Direction": "fly, move, fly",
    }
    counts, found = read_values(tmp_path, [row])
    values = {name: rows[prompt_id(0)] for name, rows in found.items()}
    assert values["text_nsfw"]["score"] == 0.25
    assert values["image_nsfw"]["label"] == "Safe"
    assert values["subject"]["subject"] == "Dragon"
    assert values["direction"]["verbs"] == ["fly", "move"]
    assert (counts.kept, counts.lost) == (4, 0)


def test_missing_values_are_rejected_and_counted(tmp_path):
    counts, found = read_values(tmp_path, [{}, {"Text_NSFW": float("nan"), "Image_NSFW": " "}])
    for name in ("text_nsfw", "image_nsfw", "direction"):
        assert [row["reason"] for row in found[name].values()] == ["not_released"] * 2
    # No subject is an answer, as of the annotators.
    assert {row["status"] for row in found["subject"].values()} == {"ok"}
    assert (counts.read, counts.rejected["not_released"], counts.lost) == (8, 6, 0)


def test_a_prompt_without_an_image_has_no_annotation(tmp_path):
    row = {"Text_NSFW": 0.0, "Image_NSFW": "Safe", "Direction": " "}
    counts, found = read_values(tmp_path, [row, row], missing=[1])
    assert all(set(rows) == {prompt_id(0)} for rows in found.values())
    assert found["direction"][prompt_id(0)]["verbs"] == []
    assert (counts.read, counts.lost) == (4, 0)


@pytest.mark.parametrize(
    ("released", "label"),
    [("Safe", "Safe"), ("safe", "Safe"), ("normal", "Safe"), ("NSFW", "NSFW"), ("nsfw ", "NSFW"),
     ("Porn", "Porn")],
)  # fmt: skip
def test_spellings_of_safe_and_unsafe(tmp_path, released, label):
    _, found = read_values(tmp_path, [{"Image_NSFW": released}])
    assert found["image_nsfw"][prompt_id(0)]["label"] == label


def deal_out(tmp_path, tables, numbers=range(6), shards=2, missing=()):
    """Run the rule's function; return the counts and the rows by UUID."""
    indexes, outputs, statuses = [], [], []
    for shard in range(shards):
        here = [number for number in numbers if shard_of(prompt_id(number), shards) == shard]
        indexes.append(tmp_path / f"images/{shard:05d}.parquet")
        outputs.append(tmp_path / f"text_embedding/{shard:05d}.parquet")
        statuses.append(tmp_path / f"statuses/{shard:05d}.parquet")
        write_index(indexes[-1], here, missing)
    counts = read_embeddings(tables, indexes, statuses, outputs)
    assert not list(tmp_path.glob("*/tmp-*"))
    rows = {}
    for output, status in zip(outputs, statuses, strict=True):
        table, found = read_table(output), read_table(status, EMBEDDED)
        for each in (table, found):
            assert each["uuid"].to_pylist() == sorted(each["uuid"].to_pylist())
        rows |= {row["uuid"]: row for row in found.to_pylist()}
        for row in table.to_pylist():
            assert rows[row["uuid"]]["status"] == "ok"
            rows[row["uuid"]] |= row
    return counts, rows, outputs


def test_vectors_are_dealt_out_at_length_one(tmp_path):
    write_embedding(tmp_path / "e.parquet", range(6), TEXT_DIMENSION)
    counts, rows, outputs = deal_out(tmp_path, [tmp_path / "e.parquet"], missing=[4])
    assert (counts.kept, counts.lost) == (5, 0) and prompt_id(4) not in rows
    schema = embeddings(TEXT_DIMENSION)
    assert read_table(outputs, schema).num_rows == 5
    for number, vector in zip(range(6), vectors(range(6), TEXT_DIMENSION), strict=True):
        if number != 4:
            unit = vector / np.linalg.norm(vector)
            np.testing.assert_allclose(rows[prompt_id(number)]["embedding"], unit, atol=1e-3)


@pytest.mark.parametrize("form", ["wide", "fixed", "large", "double", "several"])
def test_columns_are_found_by_what_they_hold(tmp_path, form):
    values = vectors(range(6), 8)
    ids = [prompt_id(number) for number in range(6)]
    named = {"note": ["x"] * 6, "id": ids}
    if form in ("wide", "several"):
        columns = named | {str(n): values[:, n] for n in range(8)}
    elif form == "fixed":
        columns = named | {"v": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 8)}
    elif form == "large":
        columns = named | {"v": pa.array(list(values), pa.large_list(pa.float32()))}
    else:
        columns = named | {"v": pa.array(values.astype(float).tolist(), pa.list_(pa.float64()))}
    if form == "several":  # batches of four rows of one file
        pq.write_table(pa.table(columns), tmp_path / "e.parquet", row_group_size=4)
    else:
        pq.write_table(pa.table(columns), tmp_path / "e.parquet")
    counts, rows, _ = deal_out(tmp_path, [tmp_path / "e.parquet"])
    assert counts.kept == 6
    unit = values[3] / np.linalg.norm(values[3])
    np.testing.assert_allclose(rows[prompt_id(3)]["embedding"], unit, atol=1e-3)


def test_what_is_missing_or_no_vector_is_rejected_or_found_in_the_next_table(tmp_path):
    values = list(vectors(range(4), 8))
    values[1] = np.zeros(8, np.float32)
    values[2] = values[2][:5]
    values[3] = np.full(8, np.nan, np.float32)
    ids = [prompt_id(number) for number in range(4)]
    pq.write_table(pa.table({"UUID": ids, "v": pa.array(values)}), tmp_path / "full.parquet")
    write_embedding(tmp_path / "subset.parquet", [0, 2, 4], 8)
    tables = [tmp_path / "full.parquet", tmp_path / "subset.parquet"]
    counts, rows, _ = deal_out(tmp_path, tables)
    assert {uuid for uuid, row in rows.items() if row["reason"] == "not_released"} == {
        prompt_id(1), prompt_id(3), prompt_id(5)
    }  # fmt: skip
    assert (counts.read, counts.kept, counts.lost) == (6, 3, 0)
    unit = values[0] / np.linalg.norm(values[0])
    np.testing.assert_allclose(rows[prompt_id(0)]["embedding"], unit, atol=1e-3)


def test_of_a_prompts_vectors_that_of_the_largest_table_counts(tmp_path):
    values = vectors([0, 1], 8)
    for name, vector in zip(("full", "subset"), values, strict=True):
        columns = {"UUID": [prompt_id(0)], "v": pa.array([vector], pa.list_(pa.float32()))}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    tables = [tmp_path / "full.parquet", tmp_path / "subset.parquet"]
    _, rows, _ = deal_out(tmp_path, tables, numbers=[0])
    unit = values[0] / np.linalg.norm(values[0])
    np.testing.assert_allclose(rows[prompt_id(0)]["embedding"], unit, atol=1e-3)


@pytest.mark.parametrize(
    "columns",
    [
        {"embedding": [[0.1, 0.2]]},
        {"UUID": [prompt_id(0)], "embedding": ["0.1 0.2"]},
        {"UUID": ["row 1"], "embedding": [[0.1, 0.2]]},
        {"UUID": [prompt_id(0)], "a": [[0.1]], "b": [[0.2]]},
    ],
    ids=["no ids", "no vectors", "other ids", "two vectors"],
)
def test_a_table_of_an_unknown_kind_is_refused_with_what_it_has(tmp_path, columns):
    pq.write_table(pa.table(columns), tmp_path / "e.parquet")
    last = list(columns)[-1]
    with pytest.raises(
        UserError, match=f"no column of UUIDs beside one of vectors; it has .*{last}"
    ):
        deal_out(tmp_path, [tmp_path / "e.parquet"])


def test_tables_of_different_lengths_are_refused(tmp_path):
    write_embedding(tmp_path / "a.parquet", range(3), 8)
    write_embedding(tmp_path / "b.parquet", range(3), 9)
    with pytest.raises(UserError, match=r"vectors of 9 numbers, and .* of 8"):
        deal_out(tmp_path, [tmp_path / "a.parquet", tmp_path / "b.parquet"])
