import numpy as np
import pyarrow as pa
import pytest

from scripts.common.errors import Rejected
from scripts.common.ledger import (
    SMALL_PARTS,
    FileLedger,
    FinishedRows,
    JobLedger,
    RowLedger,
    finished_items,
)
from scripts.common.pictures import encode_png, picture_properties
from scripts.common.shards import ShardItem, write_shard
from scripts.common.tables import column, embedding, optional, read_table, table_schema

ROWS = table_schema(
    "rows",
    "test",
    column("uuid", pa.string(), "id"),
    optional("value", pa.float64(), "value"),
    column("status", pa.string(), "status"),
)
KEYS = [f"{n:03d}" for n in range(60)]


def finished(folder, keys, versions, failing=(), asked=None):
    """Return the table that a run leaves, working out what its ledger lacks."""
    ledger = RowLedger(folder / "ledger", ROWS)
    for key in ledger.left(keys, versions):
        if asked is not None:
            asked.append(key)
        if key not in failing:
            ledger.keep(key, {"value": float(key), "status": "ok"}, versions[key])
    faults = {key: {"uuid": key, "value": None, "status": "rejected"} for key in failing}
    rows = FinishedRows(ledger, keys, faults)
    rows.write(folder / "table.parquet")
    return folder / "table.parquet"


def test_a_finished_table_is_the_ledger_too(tmp_path):
    versions = dict.fromkeys(KEYS[:12], "a")
    table = finished(tmp_path, KEYS[:10], versions, failing=["003"])
    held = list((tmp_path / "ledger").glob("*.parquet"))
    assert len(held) == 1 and held[0].samefile(table)
    assert finished_items(tmp_path / "ledger", "uuid") == set(KEYS[:10]) - {"003"}
    before, asked = table.read_bytes(), []
    table.unlink()  # as Snakemake does before a job
    finished(tmp_path, KEYS[:10], versions, asked=asked)
    assert asked == ["003"]  # a failed item is tried again, whose row the table has
    assert table.read_bytes() != before
    asked.clear()
    finished(tmp_path, KEYS[:12], versions | {"005": "b"}, asked=asked)
    assert asked == ["005", "010", "011"]
    assert read_table(table)["uuid"].to_pylist() == KEYS[:12]
    # An item that fails after its version has changed is not recalled as what it was.
    finished(tmp_path, KEYS[:12], versions | {"006": "b"}, failing=["006", "005"])
    asked.clear()
    finished(tmp_path, KEYS[:12], versions, asked=asked)
    assert asked == ["005", "006"]


def test_parts_of_a_killed_run_come_before_its_finished_table(tmp_path):
    versions = dict.fromkeys(KEYS[:4], "a")
    finished(tmp_path, KEYS[:4], versions)
    with RowLedger(tmp_path / "ledger", ROWS) as killed:
        killed.keep("002", {"value": -1.0, "status": "ok"}, "b")
    asked = []
    table = finished(tmp_path, KEYS[:4], versions | {"002": "b"}, asked=asked)
    assert asked == []
    assert read_table(table)["value"].to_pylist() == [0.0, 1.0, -1.0, 3.0]


@pytest.mark.parametrize("name", ["finished.parquet", "finished.versions"])
def test_a_broken_finished_table_is_made_again(tmp_path, name):
    versions = dict.fromkeys(KEYS[:4], "a")
    before = finished(tmp_path, KEYS[:4], versions).read_bytes()
    (tmp_path / "ledger" / name).unlink()
    (tmp_path / "ledger" / name).write_bytes(b"broken")
    asked = []
    assert finished(tmp_path, KEYS[:4], versions, asked=asked).read_bytes() == before
    assert asked == KEYS[:4]


def test_an_error_keeps_what_was_finished(tmp_path):
    with pytest.raises(RuntimeError), RowLedger(tmp_path, ROWS) as ledger:
        for key in KEYS[:5]:
            ledger.keep(key, {"value": 1.0, "status": "ok"})
        raise RuntimeError("the disk is full")
    assert sorted(RowLedger(tmp_path, ROWS)) == KEYS[:5]


VECTORS = table_schema(
    "vectors",
    "test",
    column("uuid", pa.string(), "id"),
    optional("embedding", embedding(3), "vector"),
    column("status", pa.string(), "status"),
)


def test_rows_come_from_disk_in_the_order_of_the_items_with_the_failed_ones_between(tmp_path):
    items = [*KEYS[5:20], *KEYS[:5]]
    faults = {"007": {"uuid": "007", "embedding": None, "status": "rejected"}}
    with RowLedger(tmp_path, VECTORS, flush_rows=4) as ledger:
        # In any order, as a batch behind an endpoint comes back.
        for key in [*KEYS[10:12], *reversed(items)]:
            if key not in faults:
                vector = np.full(3, float(key), np.float16)
                ledger.keep(key, {"embedding": vector, "status": "ok"})
        ledger.flush()
        rows = FinishedRows(ledger, items, faults)
        tables = list(rows.tables(rows=6))
    assert [table.num_rows for table in tables] == [6, 6, 6, 2]
    found = pa.concat_tables(tables)
    assert found.schema.equals(VECTORS, check_metadata=True)
    assert found["uuid"].to_pylist() == items
    expected = [None if key == "007" else [float(key)] * 3 for key in items]
    assert found["embedding"].to_pylist() == expected
    assert [row["embedding"] is None for row in rows.to_list()] == [key == "007" for key in items]
    again = RowLedger(tmp_path, VECTORS)
    assert again.left(items, {}) == ["007"]
    assert again.read(["013", "002"])["embedding"].to_pylist() == [[13.0] * 3, [2.0] * 3]


def test_a_row_made_anew_replaces_the_old_one(tmp_path):
    for value in (1.0, 2.0):
        with RowLedger(tmp_path, ROWS) as ledger:
            ledger.keep("001", {"value": value, "status": "ok"})
    assert RowLedger(tmp_path, ROWS).read(["001"])["value"].to_pylist() == [2.0]


def test_a_broken_part_is_made_again(tmp_path):
    with RowLedger(tmp_path, ROWS) as ledger:
        ledger.keep("001", {"value": 1.0, "status": "ok"})
    (part,) = tmp_path.glob("part-*")
    part.write_bytes(part.read_bytes()[:-20])
    assert RowLedger(tmp_path, ROWS).left(["001"], {}) == ["001"]


def item(value):
    pixels = np.full((4, 4, 3), value, np.uint8)
    return ShardItem(f"id-{value}", encode_png(pixels), picture_properties(pixels))


@pytest.mark.parametrize("number", [20, 200])
def test_a_slow_backend_leaves_no_file_for_each_of_its_rows(tmp_path, number):
    """As many files for ten times the rows: what a file system bears does not grow with items."""
    most = []
    for run in range(2):  # the first was killed
        ledger = RowLedger(tmp_path, ROWS, flush_rows=number, flush_seconds=0)
        for place in range(run, number, 2):
            ledger.keep(f"{place:03d}", {"value": float(place), "status": "ok"}, f"v{place}")
            most.append(len(list(tmp_path.iterdir())))
    assert max(most) == SMALL_PARTS - 1
    again = RowLedger(tmp_path, ROWS)
    items = [f"{place:03d}" for place in range(number)]
    assert again.left(items, {item: f"v{int(item)}" for item in items}) == []
    assert again.read(items)["value"].to_pylist() == list(map(float, range(number)))
    FinishedRows(again, items, {}).write(tmp_path.with_suffix(".parquet"))
    assert {path.name for path in tmp_path.iterdir()} == {"finished.parquet", "finished.versions"}


def test_parts_are_put_together_once_and_not_over_and_over(tmp_path, monkeypatch):
    """Full parts stay as they are, and what is made anew is what is kept."""
    ledger = RowLedger(tmp_path, ROWS, flush_rows=2)
    for value in (1.0, 2.0):
        for key in KEYS:
            ledger.keep(key, {"value": value, "status": "ok"}, str(value))
    assert len(list(tmp_path.iterdir())) == len(KEYS)
    ledger = RowLedger(tmp_path, ROWS, flush_seconds=0)  # by whose measure all of them are small
    ledger.keep(KEYS[0], {"value": 3.0, "status": "ok"}, "3.0")
    assert len(list(tmp_path.iterdir())) == 1
    again = RowLedger(tmp_path, ROWS)
    assert again.left(KEYS, dict.fromkeys(KEYS, "2.0")) == KEYS[:1]
    assert again.read(KEYS)["value"].to_pylist() == [3.0] + [2.0] * (len(KEYS) - 1)


@pytest.mark.parametrize("number", [3, 30])
def test_videos_under_way_are_in_one_file_for_each_run(tmp_path, number):
    for run in range(2):
        ledger = FileLedger(tmp_path)
        for value in range(run, number, 2):
            ledger.keep(f"id-{value}", item(value), "a")
    assert len(list(tmp_path.iterdir())) == 2
    versions = {f"id-{value}": "a" for value in range(number)}
    assert list(FileLedger(tmp_path).items(versions, {})) == [
        item(int(uuid[3:])) for uuid in sorted(versions)
    ]


def test_files_are_recalled_singly_and_then_from_the_finished_tar(tmp_path):
    versions, faults = {"id-1": "a", "id-2": "b"}, {"id-9": Rejected("undecodable")}

    def opened():
        return FileLedger(tmp_path / "ledger")

    for name in versions:
        assert opened().left(versions, versions) == sorted(versions)[int(name[3:]) - 1 :]
        opened().keep(name, item(int(name[3:])), versions[name])
    assert opened().left(versions, versions | {"id-1": "new"}) == ["id-1"]
    wanted = versions | {"id-9": None}
    ledger = opened()
    loose = list(ledger.items(wanted, faults))
    assert loose == [item(1), item(2), ShardItem("id-9", reason="undecodable")]
    tar, index = tmp_path / "s.tar", tmp_path / "s.parquet"
    write_shard(tar, index, loose, "png")
    ledger.finish(tar, index)
    names = {path.name for path in (tmp_path / "ledger").iterdir()}
    assert names == {"finished.tar", "finished.parquet", "finished.versions"}
    assert (tmp_path / "ledger" / "finished.tar").stat().st_ino == tar.stat().st_ino
    tar.unlink(), index.unlink()
    assert opened().left(wanted, wanted) == ["id-9"]
    assert list(opened().items(wanted, faults)) == loose
    assert opened().left(versions, versions | {"id-1": "new"}) == ["id-1"]


def test_a_whole_job_is_recalled(tmp_path):
    ledger = JobLedger(tmp_path / "ledger")
    outputs = {"weights": tmp_path / "out" / "w.bin", "curve": tmp_path / "out" / "c.csv"}
    assert not ledger.recall(outputs)
    outputs["weights"].parent.mkdir()
    outputs["weights"].write_bytes(b"weights")
    outputs["curve"].write_text("curve")
    ledger.remember(outputs, {"an item": "undecodable"})
    for path in outputs.values():
        path.unlink()
    assert JobLedger(tmp_path / "ledger").recall(outputs)
    assert JobLedger(tmp_path / "ledger").notes == {"an item": "undecodable"}
    assert outputs["weights"].read_bytes() == b"weights"
